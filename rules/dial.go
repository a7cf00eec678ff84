package rules

import (
	"strings"
	"unicode/utf8"
)

// dialHosts are the hosts of video systems whose addresses are known without a
// scheme before them, as in "123456789@zoomcrc.com".
var dialHosts = [...]struct {
	host    string // as in Rule.Hosts
	service string
	digits  bool // the user part must be a number: people have mail there too
}{
	{".zoomcrc.com", "zoom", false},
	{"sip.zoomgov.com", "zoom", false},
	{"*.zmus.us", "zoom", true},
	{"zmus.us", "zoom", true},
	{"*.webex.com", "webex", true},
	{"bjn.vc", "bluejeans", false},
	{"sip.bjn.vc", "bluejeans", false},
	{"sip.lifesizecloud.com", "lifesize", false},
	{"*.call.sl", "starleaf", false},
	{"call.sl", "starleaf", false},
	{"rcv.com", "ringcentral", false},
	{"*.rcv.com", "ringcentral", false},
	{"meet.ringcentral.com", "ringcentral", false},
	{"sip.gotomeeting.com", "gotomeeting", false},
	{"67.217.95.2", "gotomeeting", true},
	{"meet.chime.in", "chime", false},
	{"*.onpexip.com", "pexip", false},
	{"pexip.me", "pexip", false},
}

// cviHosts are the partners' hosts in a Teams block. Their addresses are the
// tenant's, and say with the conference id whom to call.
var cviHosts = [...]struct{ host, dial, h323 string }{
	{"t.plcm.vc", "sip:{key}.{conf}@t.plcm.vc", "h323:{key}.{conf}@t.plcm.vc"},
	{"m.webex.com", "sip:{conf}.{key}@m.webex.com", ""},
	{"teams.bjn.vc", "sip:{key}.{conf}@teams.bjn.vc", ""},
}

// maxUser is the longest user part of an address, in bytes.
const maxUser = 128

// at decides about an at-sign.
func (w *scanner) at(p int) {
	s := w.s
	lo := max(w.done, p-maxUser-len("sips:"), 0)
	i := p
	for i > lo && i >= p-maxUser && userByte[s[i-1]] {
		i--
	}
	if p == i || p-i > maxUser {
		return // no address, or a part of it would be another one
	}
	userAt := i
	colon := i > lo && s[i-1] == ':'
	var scheme string
	explicit := SchemeNone
	if colon {
		j := i - 1
		for j > lo && isAlnum(s[j-1]) {
			j--
		}
		scheme = s[j : i-1]
		switch {
		case fold(scheme, "sip"), len(scheme) < 12 && hasSuffixFold(scheme, "sip"):
			explicit, i = SIP, i-4
		case fold(scheme, "sips"), len(scheme) < 12 && hasSuffixFold(scheme, "sips"):
			explicit, i = SIPS, i-5
		case fold(scheme, "h323"):
			explicit, i = H323, i-5
		case j >= 4 && j > lo && s[j-1] == ':' && hasSuffixFold(s[:j-1], "sip"):
			// sip:user:password@host
			explicit, i, userAt = SIP, j-4, j
		}
	}
	k := p + 1 + hostWidth(s[p+1:min(len(s), p+256)])
	for k < len(s) && k < p+256 && (hostByte[s[k]] || s[k] >= utf8.RuneSelf) {
		if s[k] >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[k:])
			if blank(r) || r >= 0x2000 || r == utf8.RuneError || invisible(r) {
				break
			}
			k += n
			continue
		}
		k++
	}
	if explicit != SchemeNone && k < len(s) && s[k] == '[' {
		if e := strings.IndexByte(s[k:min(len(s), k+48)], ']'); e > 0 {
			k += e + 1
		}
	}
	for k > p+1 && (s[k-1] == '.' || s[k-1] == '-') {
		k--
	}
	host := s[p+1 : k]
	if len(host) < 3 {
		return
	}
	user := s[userAt:p]
	if explicit == SchemeNone {
		w.bareAddress(user, host, userAt, k, colon && fold(scheme, "mailto"))
		return
	}
	if i < w.done || i > 4 && hasSuffixFold(s[:i], "conf:") || w.inside(i) {
		return
	}
	if under(host, "lync.webex.com") { // for Skype for Business, no room system
		w.done = max(w.done, k)
		return
	}
	// Parameters and headers belong to the address.
	end := k
	for end < len(s) && end < k+200 && (urlByte[s[end]] || s[end] == '&') && s[end] != ',' && s[end] != ')' && s[end] != '\'' {
		if end == k && s[end] != ';' && s[end] != '?' && s[end] != ':' {
			break
		}
		if w.html && s[end] == '&' {
			if r, n := entity(s[end:]); n > 0 && r != '&' {
				break
			}
		}
		end++
	}
	end = k + len(trimLink(s[k:end]))
	if hasPrefixFold(s[k:end], ";gruu") || strings.Contains(s[k:end], "opaque=") {
		w.done = max(w.done, end)
		return
	}
	w.address(explicit, user, host, s[k:end], i, end)
}

// bareAddress is an address without a scheme.
func (w *scanner) bareAddress(user, host string, start, end int, mailto bool) {
	known := w.t.lookup(host)
	if len(known) > 0 && under(host, "lync.webex.com") {
		return
	}
	for i := range known {
		if c := known[i].cvi; c > 0 && fold(host, cviHosts[c-1].host) {
			w.address(SIP, user, host, "", start, end)
			return
		}
	}
	for i := range known {
		if known[i].dial == 0 || !hostMatches(host, known[i].pattern) {
			continue
		}
		d := &dialHosts[known[i].dial-1]
		if d.digits && !(len(user) >= 3 && isDigits(user[:3])) && !(w.told(start) && !mailto) {
			return
		}
		w.address(SIP, user, host, "", start, end)
		return
	}
	if mailto || strings.IndexByte(host, '.') < 0 {
		return
	}
	switch {
	case hasSuffixFold(user, ".vmr"):
		w.address(SIP, user, host, "", start, end)
	case w.toldSIP(start):
		if f := w.address(SIP, user, host, "", start, end); f != nil {
			f.told = true
		}
	case len(user) >= 3 && isDigits(user) && host[0] != '.':
		// Somebody's mail, unless it is all that a location has or the number is
		// that of the meeting.
		f := w.address(SIP, user, host, "", start, end)
		if f != nil && !(w.field == FieldLocation && strings.TrimSpace(w.s[:start]) == "") {
			f.kind = isWeak
		}
	}
}

// told reports whether the words before an address tell to dial it.
func (w *scanner) told(start int) bool {
	lo := max(0, start-40)
	before := w.s[lo:start]
	return containsFold(before, "dial") || containsFold(before, "sip")
}

// addressLabels are what stands before an address without a scheme that is not
// somebody's mail, in lower case. Those that say "SIP" or "dial" do so in a
// sentence too, the others where a line begins with them.
var addressLabels = [...]string{
	"sip:", "sip uri:", "sip address:", "sip-adresse:", "sip-adress:", "adresse sip:", "adresse sip :", "dirección sip:", "indirizzo sip:", "dial:", "dial",
	"video address:", "video address (uri):", "video uri:", "videoadresse:", "video-adresse:", "videoadress:", "adresse vidéo:", "adresse vidéo :", "dirección de vídeo:",
	"video system:", "videosystem:", "video conference:", "videokonferenz:", "videokonferanse:", "videokonferens:", "video endpoint:",
}

// toldSIP reports whether "SIP:", "Video address:" or "dial" stands before an
// address. The label may be in another element than the address.
func (w *scanner) toldSIP(start int) bool {
	b := w.s[max(0, start-256):start]
	for range 6 {
		for b != "" && (b[len(b)-1] <= ' ' || b[len(b)-1] == '*') {
			b = b[:len(b)-1]
		}
		if !w.html || b == "" || b[len(b)-1] != '>' {
			break
		}
		b = b[:max(0, strings.LastIndexByte(b, '<'))]
	}
	if b == "" {
		return false
	}
	if c := lower(b[len(b)-1]); c != ':' && c != 'l' {
		return false
	}
	for _, l := range addressLabels {
		n := len(b) - len(l)
		if n < 0 || !foldUTF(b[n:], l) || n > 0 && isAlnum(b[n-1]) {
			continue
		}
		before := strings.TrimRight(b[:n], " \t*-•")
		if strings.Contains(l, "sip") || strings.HasPrefix(l, "dial") || before == "" || before[len(before)-1] == '\n' || before[len(before)-1] == '>' {
			return true
		}
	}
	return false
}

func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if lower(s[i]) == sub[0] && fold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

// address records a dial address, unless it is hidden or one too many.
func (w *scanner) address(scheme Scheme, user, host, tail string, start, end int) *found {
	w.done = max(w.done, end)
	if !hostLabels(host) || w.hides(start) {
		return nil
	}
	if len(w.found) >= maxCandidates {
		w.cap("more than 256 links and addresses")
		return nil
	}
	a := &w.a
	f := found{kind: isDial, field: w.field, scheme: scheme, host: host,
		span: Span{Source: w.source, Start: start, End: end}, group: -1}
	if w.html && strings.IndexByte(user, '&') >= 0 {
		user = a.decode(user)
	}
	// A user part has one "@" after it, and a ":" only before a password
	// (RFC 3261, section 19.1.1), which is none of a meeting's.
	if strings.IndexByte(user, '@') >= 0 || strings.IndexByte(user, ':') >= 0 || strings.IndexByte(tail, '@') >= 0 {
		return nil
	}
	f.uri = a.join(scheme.String(), ":", user, "@", host, tail)
	f.id, f.pin, _ = strings.Cut(user, ".")
	f.room = user
	if !isDigits(f.id) || !isDigits(f.pin) {
		f.pin = ""
	}
	for i := range cviHosts {
		if c := &cviHosts[i]; fold(host, c.host) && tail == "" {
			f.kind, f.key = isCVI, user
			// The tenant's address alone asks for the conference id.
			if first, second, ok := strings.Cut(user, "."); ok && (isDigits(first) || isDigits(second)) {
				f.id = user
			} else {
				f.id = ""
			}
		}
	}
	w.found = append(w.found, f)
	return &w.found[len(w.found)-1]
}

// hashes looks for "192.0.2.1##123", with and without "h323:" before it.
func (w *scanner) hashes() {
	s := w.s
	for p := 0; ; p++ {
		j := strings.IndexByte(s[p:], '#')
		if j < 0 || p+j+2 > len(s) || len(w.found) >= maxCandidates {
			return
		}
		if p += j; s[p+1] != '#' {
			continue
		}
		i := p + 2
		lo := p
		for lo > 0 && p-lo < 64 && (hostByte[s[lo-1]]) {
			lo--
		}
		hi := i
		for hi < len(s) && hi < i+64 && (isDigit(s[hi]) || s[hi] == '#' || s[hi] == '*') {
			hi++
		}
		for lo < p && !isAlnum(s[lo]) {
			lo++
		}
		if hi == i || !isDigit(s[i]) || !validHost(s[lo:p]) || !isAlnum(s[p-1]) || lo < w.unknown {
			continue
		}
		start := lo
		if lo >= 5 && fold(s[lo-5:lo], "h323:") {
			start = lo - 5
		}
		if w.hides(lo) {
			continue
		}
		id := s[p+2 : hi]
		id, pin, _ := strings.Cut(id, "#")
		w.found = append(w.found, found{kind: isDial, field: w.field, scheme: H323,
			span: Span{Source: w.source, Start: start, End: hi}, host: s[lo:p], id: id, pin: pin, room: id, group: -1,
			uri: w.a.join("h323:", strings.TrimRight(s[lo:hi], "#"))})
		p = hi - 1
	}
}

// h323 looks for "h323:192.0.2.1" and "h323:host", which have neither of the
// signs that the scan goes by.
func (w *scanner) h323() {
	s := w.s
	for i := 0; ; {
		j := strings.Index(s[i:], "323:")
		if j < 0 || len(w.found) >= maxCandidates {
			return
		}
		p := i + j
		i = p + 4
		if p == 0 || lower(s[p-1]) != 'h' || p > 1 && isAlnum(s[p-2]) {
			continue
		}
		k := i
		for k < len(s) && k < i+128 && (hostByte[s[k]] || s[k] == ':' || s[k] == '[' || s[k] == ']') {
			k++
		}
		if k < len(s) && (s[k] == '@' || s[k] == '#') {
			continue
		}
		target := strings.TrimRight(s[i:k], ".:-")
		i = k
		if len(target) < 4 || !strings.ContainsAny(target, ".0123456789") || w.hides(p) {
			continue
		}
		w.found = append(w.found, found{kind: isDial, field: w.field, scheme: H323,
			span: Span{Source: w.source, Start: p - 1, End: p + 4 + len(target)}, host: target, room: target, id: target, group: -1,
			uri: w.a.join("h323:", target)})
	}
}
