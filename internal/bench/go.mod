module github.com/onetouchjoin/onetouchjoin/internal/bench

go 1.26.0

require (
	github.com/PuerkitoBio/goquery v1.13.0
	github.com/cloudflare/ahocorasick v0.0.0-20240916140611-054963ec9396
	github.com/onetouchjoin/onetouchjoin v0.0.0
	github.com/petar-dambovaliev/aho-corasick v0.0.0-20250424160509-463d218d4745
	github.com/stretchr/testify v1.12.1
	github.com/wasilibs/go-re2 v1.13.0
	golang.org/x/net v0.62.0
	mvdan.cc/xurls/v2 v2.6.0
)

require (
	github.com/andybalholm/cascadia v1.3.4 // indirect
	github.com/tailscale/hujson v0.0.0-20260727124030-b80ff77dac4f // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/onetouchjoin/onetouchjoin => ../..
