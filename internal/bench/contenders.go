// Package bench compares the rule engine with other ways to find a meeting in
// an invite, on the same bodies, in the same run. It is a module of its own, so
// that nobody who imports the engine gets what it is compared with.
//
// The figures in docs/benchmarks.md come from
//
//	go run -tags hyperscan,otjbench ./cmd/benchmarks
//
// The contenders do not do the same work. Only "ours, whole evaluation" and
// "goquery + 50 regexps" end with a meeting and its parts; the others are given
// because somebody will ask, or because they are a bound. Contender.Does says
// what each leaves out.
package bench

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/PuerkitoBio/goquery"
	cloudflare "github.com/cloudflare/ahocorasick"
	petar "github.com/petar-dambovaliev/aho-corasick"
	"github.com/wasilibs/go-re2"
	"golang.org/x/net/html"
	"mvdan.cc/xurls/v2"

	"github.com/onetouchjoin/onetouchjoin/calendar"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// Contender is one way to look through a body.
type Contender struct {
	ID   string // of the row, such as "A"
	Name string
	Does string // what it does, and what it does not
	// New prepares it, outside the measured time. The function that it returns
	// looks through a body and returns how much it found, whatever it counts.
	New func() (func(Body) int, error)
}

// The contenders that other code refers to.
const (
	OursID    = "O"
	OursURIID = "U"
	UsualID   = "A"
	ParseID   = "C"
	IndexID   = "I"
	CountID   = "J"
	HyperID   = "G"
)

// Contenders returns all rows, ours first.
func Contenders() []Contender {
	return []Contender{
		{OursID, "ours, whole evaluation", "all default rules: links, gateways, labels, dial strings, ranking", newOurs},
		{OursURIID, "ours, URI stage", "the first stage alone: links and addresses, gateways undone, matched with the default rules; the text is not read, which in HTML has the H.323 numbers, and nothing is ranked", newOursURI},
		{UsualID, "goquery + 50 regexps", "the usual code: parse, text and hrefs, 50 standard-library regexps with captures; opens no gateway", newUsual},
		{"A2", "50 regexps on the raw body", "no HTML at all: entities stay, tags stay", newRaw},
		{"E", "one alternation of 40 regexps", "standard library; links only", newAlternation},
		{"F", "go-re2, one alternation", "RE2 compiled to WebAssembly; links only", newRE2},
		{HyperID, "Hyperscan, 50 patterns", "C library by cgo; which patterns occur, no captures, nothing decoded or unwrapped", newHyperscan},
		{ParseID, "x/net/html Parse", "the tree, and nothing found in it", newParse},
		{"B", "x/net/html tokenizer", "tokens, and nothing found in them", newTokenizer},
		{"D", "xurls, strict", "all URLs, not which are meetings", newXurls},
		{"H1", "Aho-Corasick (cloudflare)", "which of 40 hosts and schemes occur", newCloudflare},
		{"H2", "Aho-Corasick (petar-dambovaliev)", "where 40 hosts and schemes occur", newPetar},
		{IndexID, `bytes.Index("://") loop`, "where links may be; a bound for a scanner in plain Go", newIndex},
		{CountID, "bytes.Count", "reads each byte once: the bound", newCount},
	}
}

// Event returns the body as the only thing in an event.
func (b Body) Event() *calendar.Event {
	ev := new(calendar.Event)
	if b.HTML {
		ev.Body.HTML = string(b.Data)
	} else {
		ev.Body.Plain = string(b.Data)
	}
	return ev
}

// newOurs keeps the last event, because a provider hands over an event and not
// bytes: making one from the bytes is not the engine's work.
func newOurs() (func(Body) int, error) {
	e := rules.Default()
	var dst []rules.Match
	events := map[string]*calendar.Event{}
	return func(b Body) int {
		ev := events[b.Name]
		if ev == nil {
			ev = b.Event()
			events[b.Name] = ev
		}
		dst = e.Append(dst[:0], ev)
		return len(dst)
	}, nil
}

func newUsual() (func(Body) int, error) {
	res, err := compileAll()
	if err != nil {
		return nil, err
	}
	return func(b Body) int {
		text := string(b.Data)
		if b.HTML {
			doc, err := goquery.NewDocumentFromReader(bytes.NewReader(b.Data))
			if err != nil {
				return -1
			}
			var parts strings.Builder
			doc.Find("a[href]").Each(func(_ int, s *goquery.Selection) {
				parts.WriteString(s.AttrOr("href", ""))
				parts.WriteByte('\n')
			})
			parts.WriteString(doc.Text())
			text = parts.String()
		}
		hits := 0
		for _, re := range res {
			if re.FindStringSubmatch(text) != nil {
				hits++
			}
		}
		return hits
	}, nil
}

func compileAll() ([]*regexp.Regexp, error) {
	var res []*regexp.Regexp
	for _, p := range Patterns {
		re, err := regexp.Compile(p.Expr)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", p.Name, err)
		}
		res = append(res, re)
	}
	return res, nil
}

func newRaw() (func(Body) int, error) {
	res, err := compileAll()
	return func(b Body) int {
		hits := 0
		for _, re := range res {
			if re.FindSubmatch(b.Data) != nil {
				hits++
			}
		}
		return hits
	}, err
}

func alternation() string {
	var exprs []string
	for _, p := range Patterns {
		if p.URI {
			exprs = append(exprs, "(?:"+p.Expr+")")
		}
	}
	return strings.Join(exprs, "|")
}

func newAlternation() (func(Body) int, error) {
	re, err := regexp.Compile(alternation())
	return func(b Body) int { return len(re.FindAllSubmatchIndex(b.Data, -1)) }, err
}

func newRE2() (func(Body) int, error) {
	re, err := re2.Compile(alternation())
	return func(b Body) int { return len(re.FindAllSubmatchIndex(b.Data, -1)) }, err
}

func newParse() (func(Body) int, error) {
	return func(b Body) int {
		n, err := html.Parse(bytes.NewReader(b.Data))
		if err != nil || n.FirstChild == nil {
			return -1
		}
		return 1
	}, nil
}

func newTokenizer() (func(Body) int, error) {
	return func(b Body) int {
		z, n := html.NewTokenizer(bytes.NewReader(b.Data)), 0
		for z.Next() != html.ErrorToken {
			z.Token()
			n++
		}
		return n
	}, nil
}

func newXurls() (func(Body) int, error) {
	re := xurls.Strict()
	return func(b Body) int { return len(re.FindAllIndex(b.Data, -1)) }, nil
}

// literals are the hosts and schemes that tell a meeting's link.
var literals = strings.Fields(`teams.microsoft.com teams.live.com webex.com dialin.plcm.vc zoom.us zoomgov.com zoommtg:// meet.google.com
	gotomeeting.com meet.goto.com gotomeet.me bluejeans.com ringcentral.com chime.aws meet.jit.si whereby.com meet.starleaf.com
	lifesizecloud.com meet.lync.com join.skype.com 8x8.vc dialpad.com vonage.com livestorm.co voovmeeting.com meeting.tencent.com
	vc.feishu.cn gather.town discord.gg app.slack.com around.co /webapp/ pexip:// sip: sips: h323: onpexip.com zoomcrc.com
	safelinks.protection.outlook.com urldefense`)

func newCloudflare() (func(Body) int, error) {
	m := cloudflare.NewStringMatcher(literals)
	return func(b Body) int { return len(m.MatchThreadSafe(b.Data)) }, nil
}

func newPetar() (func(Body) int, error) {
	builder := petar.NewAhoCorasickBuilder(petar.Opts{MatchKind: petar.LeftMostLongestMatch, DFA: true})
	ac := builder.Build(literals)
	return func(b Body) int {
		n := 0
		for it := ac.IterByte(b.Data); it.Next() != nil; {
			n++
		}
		return n
	}, nil
}

func newIndex() (func(Body) int, error) {
	sep := []byte("://")
	return func(b Body) int {
		n := 0
		for data := b.Data; ; n++ {
			i := bytes.Index(data, sep)
			if i < 0 {
				return n
			}
			data = data[i+len(sep):]
		}
	}, nil
}

func newCount() (func(Body) int, error) {
	one := []byte{1}
	return func(b Body) int { return bytes.Count(b.Data, one) }, nil
}
