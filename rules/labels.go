package rules

import (
	"strings"
	"unicode/utf8"
)

// label says what a value in an invite's text is.
type label uint8

const (
	labelNone     label = iota
	labelID             // the number of the meeting
	labelPasscode       // what a person types
	labelPIN            // the numeric passcode of video systems
	labelVideoID        // the conference id of a Teams block
	labelTenant         // the tenant's address of a Teams block
	labelSIP            // an address without a scheme
	labelIP             // an H.323 gateway
	labelPhone          // the id of a telephone conference, which is none of ours
	labelRoomPIN        // "PIN" alone: that of a video bridge, or of a telephone
)

// labelText is what stands before a value, in lower case, and what it says.
type labelText struct {
	text string
	is   label
}

// labels are what stands before a value, in lower case: the end of the line
// before the colon. A label that contains another comes first. English, German,
// French, Spanish, Italian, Dutch, Swedish, Danish, Norwegian, Portuguese and
// the others are those of the vendors' localized invites and join pages.
var labels = [...]labelText{
	{"vtc conference id", labelVideoID}, {"video conference id", labelVideoID}, {"video id", labelVideoID}, {"video-id", labelVideoID},
	{"videokonferenz-id", labelVideoID}, {"videokonferenzkennung", labelVideoID}, {"id vidéo", labelVideoID}, {"id de vídeo", labelVideoID}, {"id de video", labelVideoID}, {"video-id-nummer", labelVideoID},
	{"id de videoconferencia", labelVideoID}, {"id de la visioconférence", labelVideoID}, {"videokonferens-id", labelVideoID}, {"videokonference-id", labelVideoID}, {"videokonferanse-id", labelVideoID}, {"videovergader-id", labelVideoID}, {"ビデオ id", labelVideoID}, {"ビデオ会議 id", labelVideoID}, {"视频 id", labelVideoID},
	{"tenant key", labelTenant}, {"mandantenschlüssel", labelTenant}, {"clé de locataire", labelTenant}, {"clé du locataire", labelTenant}, {"clave de inquilino", labelTenant}, {"clave del inquilino", labelTenant}, {"テナント キー", labelTenant}, {"テナントキー", labelTenant}, {"klientnyckel", labelTenant},
	{"phone conference id", labelPhone}, {"telefonkonferenz-id", labelPhone}, {"attendee id", labelPhone}, {"participant id", labelPhone}, {"conference id", labelPhone}, {"konferenz-id", labelPhone}, {"phone number", labelPhone},
	{"meeting number (access code)", labelID}, {"webinar number (access code)", labelID}, {"meeting number", labelID}, {"webinar number", labelID}, {"event number", labelID}, {"access code", labelID}, {"meeting id", labelID}, {"webinar id", labelID}, {"meeting-id", labelID}, {"meetingid", labelID},
	{"besprechungs-id", labelID}, {"meeting-kennnummer", labelID}, {"meeting-kennnummer (zugriffscode)", labelID}, {"id de réunion", labelID}, {"id de la réunion", labelID}, {"numéro de la réunion", labelID}, {"id de reunión", labelID}, {"id de la reunión", labelID}, {"reunion-id", labelID}, {"id riunione", labelID}, {"id della riunione", labelID},
	{"vergadering-id", labelID}, {"vergader-id", labelID}, {"vergaderings-id", labelID}, {"mötes-id", labelID}, {"möte-id", labelID}, {"mødenummer", labelID}, {"møde-id", labelID}, {"møte-id", labelID}, {"møteid", labelID}, {"id da reunião", labelID}, {"identyfikator spotkania", labelID}, {"kokoustunnus", labelID}, {"kokouksen tunnus", labelID}, {"toplantı kimliği", labelID}, {"идентификатор собрания", labelID}, {"идентификатор конференции", labelID},
	{"会議 id", labelID}, {"ミーティング id", labelID}, {"会议 id", labelID}, {"会议id", labelID}, {"会议号", labelID}, {"腾讯会议", labelID}, {"入会码", labelID}, {"會議識別碼", labelID}, {"会议标识", labelID}, {"모임 id", labelID}, {"회의 id", labelID},
	{"password for video system", labelPIN}, {"password for video systems", labelPIN}, {"video system password", labelPIN}, {"video password", labelPIN}, {"host pin", labelPhone}, {"host key", labelPhone}, {"numeric passcode", labelPIN}, {"numeric password", labelPIN}, {"video address pin", labelPIN}, {"room pin", labelPIN}, {"video pin", labelPIN}, {"device pin", labelPIN},
	{"passcode", labelPasscode}, {"pass code", labelPasscode}, {"password", labelPasscode}, {"kennungscode", labelPasscode}, {"kenncode", labelPasscode}, {"passwort", labelPasscode}, {"kennwort", labelPasscode}, {"code secret", labelPasscode}, {"mot de passe", labelPasscode}, {"code d'accès", labelPasscode}, {"code d’accès", labelPasscode}, {"código de acceso", labelPasscode}, {"código secreto", labelPasscode}, {"contraseña", labelPasscode},
	{"codice di accesso", labelPasscode}, {"codice d'accesso", labelPasscode}, {"codice d’accesso", labelPasscode}, {"senha de acesso", labelPasscode},
	{"رمز المرور", labelPasscode}, {"كلمة المرور", labelPasscode}, {"معرف الاجتماع", labelID}, {"קוד סיסמה", labelPasscode}, {"סיסמה", labelPasscode}, {"מזהה פגישה", labelID}, {"รหัสผ่าน", labelPasscode}, {"mật mã", labelPasscode}, {"mật khẩu", labelPasscode}, {"id cuộc họp", labelID},
	{"κωδικός πρόσβασης", labelPasscode}, {"αναγνωριστικό σύσκεψης", labelID}, {"код доступу", labelPasscode}, {"ідентифікатор наради", labelID}, {"hozzáférési kód", labelPasscode}, {"jelszó", labelPasscode}, {"přístupový kód", labelPasscode}, {"heslo", labelPasscode}, {"cod de acces", labelPasscode}, {"parolă", labelPasscode}, {"kode sandi", labelPasscode},
	{"wachtwoord", labelPasscode}, {"wachtwoordcode", labelPasscode}, {"toegangscode", labelPasscode}, {"lösenord", labelPasscode}, {"lösenkod", labelPasscode}, {"adgangskode", labelPasscode}, {"passord", labelPasscode}, {"tilgangskode", labelPasscode}, {"senha", labelPasscode}, {"código de acesso", labelPasscode}, {"palavra-passe", labelPasscode}, {"kod dostępu", labelPasscode}, {"hasło", labelPasscode}, {"salasana", labelPasscode}, {"tunnuskoodi", labelPasscode}, {"geçiş kodu", labelPasscode}, {"parola", labelPasscode}, {"код доступа", labelPasscode}, {"пароль", labelPasscode}, {"секретный код", labelPasscode},
	{"パスコード", labelPasscode}, {"パスワード", labelPasscode}, {"密码", labelPasscode}, {"密碼", labelPasscode}, {"传递代码", labelPasscode}, {"암호", labelPasscode}, {"패스코드", labelPasscode}, {"conference pin", labelPasscode}, {"meeting pin", labelPasscode},
	{"guest pin", labelRoomPIN}, {"gast-pin", labelRoomPIN}, {"gäste-pin", labelRoomPIN}, {"pin code", labelRoomPIN}, {"pin-code", labelRoomPIN}, {"pin", labelRoomPIN},
	{"join by sip", labelSIP}, {"sip", labelSIP}, {"join from a video system or application", labelSIP},
}

// labelsBy has the labels by their last byte, in the same order.
var labelsBy [256][]labelText

func init() {
	for _, l := range labels {
		end := l.text[len(l.text)-1]
		labelsBy[end] = append(labelsBy[end], l)
	}
}

// elsewhere are words before a label that say that the value is not the
// meeting's, in lower case: "Wi-Fi password", "door access code".
var elsewhere = [...]string{"wi-fi", "wifi", "wlan", "ssid", "wireless", "network", "netzwerk", "door", "gate", "building", "parking", "garage", "locker", "recording", "aufzeichnung", "enregistrement", "grabación", "download", "file", "document", "login", "account", "portal"}

// labelHit is a label with its value.
type labelHit struct {
	is    label
	value string
	pin   string // a numeric passcode that stands beside the passcode
	bare  bool   // no colon follows the label
	text  int
	raw   int
	end   int
}

// classify says what the text before a colon announces.
func classify(before string) label {
	s := before
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '*' || s[len(s)-1] == '_') {
		s = s[:len(s)-1]
	}
	if s == "" {
		return labelNone
	}
	list := labelsBy[lower(s[len(s)-1])]
	for i := range list {
		if n := len(list[i].text); len(s) >= n && foldUTF(s[len(s)-n:], list[i].text) {
			if list[i].is == labelRoomPIN && len(s) > n && s[len(s)-n-1] != ' ' {
				return labelNone // the end of another word
			}
			if (list[i].is == labelPasscode || list[i].text == "access code") && foreign(s[:len(s)-n]) {
				return labelPhone
			}
			return list[i].is
		}
	}
	return labelNone
}

// foreign reports whether the word before a label is of elsewhere.
func foreign(before string) bool {
	before = strings.TrimRight(before, " -")
	for _, word := range elsewhere {
		if n := len(before) - len(word); hasSuffixFold(before, word) && (n == 0 || !isAlnum(before[n-1])) {
			return true
		}
	}
	return false
}

// foldUTF compares like fold, and takes the capitals of Latin-1 and Cyrillic
// with their small letters.
func foldUTF(s, small string) bool {
	for i := range len(s) {
		if s[i] != small[i] && lower(s[i]) != small[i] {
			return s[i] >= utf8.RuneSelf && strings.EqualFold(s, small)
		}
	}
	return true
}

// readLabels finds the labels and values of a text.
func (sc *scratch) readLabels(t *screen) {
	s := t.String()
	sc.hits = sc.hits[:0]
	for i := index(s, ':', 0); i < len(s); i = index(s, ':', i+1) {
		sc.steps++
		if i+1 < len(s) && s[i+1] == '/' || i == 0 {
			continue
		}
		lo := max(0, i-48)
		if nl := strings.LastIndexByte(s[lo:i], '\n'); nl >= 0 {
			lo += nl + 1
		}
		value, at := valueAfter(s, i+1)
		if value == "" {
			continue
		}
		is := classify(s[lo:i])
		h := labelHit{is: is, text: i}
		switch is {
		case labelNone:
			if pass, pin := sc.webexPasswords(value); pin != "" {
				h.is, h.value, h.pin = labelPasscode, pass, pin
			} else if shapedID(value) || sc.isLinked(value) {
				h.is, h.value = labelID, sc.digits(value)
			} else if shapedVideoID(value) && sc.tenantBefore(s, i) {
				h.is, h.value = labelVideoID, sc.digits(value)
			} else if n := len(sc.hits); n > 0 && sc.hits[n-1].is == labelID && i-sc.hits[n-1].text < 100 && shapedCode(value) {
				h.is, h.value = labelPasscode, value
			} else {
				continue
			}
		case labelID, labelVideoID, labelPhone:
			if h.value = sc.digits(value); len(h.value) < 3 || len(h.value) > 16 {
				continue
			}
		case labelPIN, labelRoomPIN:
			if h.value = sc.digits(value); h.value == "" {
				continue
			}
		case labelPasscode:
			if h.value = sc.spaced(value); h.value == "" {
				h.value = token(value)
			}
			if h.value == "" || strings.Contains(h.value, "://") {
				continue
			}
			if rest, ok := strings.CutPrefix(value, h.value); ok {
				h.pin = sc.pinInBrackets(rest)
			}
		case labelTenant, labelSIP:
			h.value = token(value)
			if strings.IndexByte(h.value, '@') < 1 {
				continue
			}
		}
		h.raw, h.end = t.raw(lo), t.rawEnd(at+len(value))
		sc.hits = append(sc.hits, h)
		if len(sc.hits) >= maxCandidates {
			sc.cap("more than 256 labels")
			return
		}
	}
	sc.bareLabels(t)
	// One-tap numbers carry Zoom's numeric passcode: "+1555…,,123#,,,,*456#".
	for star := index(s, '*', 1); star < len(s); {
		i, j := star-1, star+1
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if s[i] == ',' && j > i+2 && j < len(s) && s[j] == '#' && len(sc.hits) < maxCandidates {
			sc.hits = append(sc.hits, labelHit{is: labelPIN, value: s[i+2 : j], text: i, raw: t.raw(i), end: t.raw(i)})
		}
		star = index(s, '*', j)
	}
	for i := range sc.found {
		if r := sc.found[i].rule; r != nil && r.ip {
			sc.readIP(t)
			break
		}
	}
}

// readIP finds the first H.323 gateway that the text names for each mention of
// H.323, and the address that Webex gives for systems that dial a number.
func (sc *scratch) readIP(t *screen) {
	s := t.String()
	for i := 0; ; {
		j := strings.Index(s[i:], "323")
		if j < 0 {
			break
		}
		i += j + 3
		if i < 5 || lower(s[i-4]) != 'h' && s[i-4] != '.' {
			continue
		}
		sc.ipAfter(t, i, min(len(s), i+120))
	}
	for i := 0; ; {
		j := strings.Index(s[i:], "dial ")
		if j < 0 {
			return
		}
		i += j + 5
		sc.ipAfter(t, i, min(len(s), i+16))
	}
}

func (sc *scratch) ipAfter(t *screen, from, to int) {
	s := t.String()
	for i := from; i < to; i++ {
		if !isDigit(s[i]) || isAlnum(s[i-1]) || s[i-1] == '.' {
			continue
		}
		j, dots := i, 0
		for j < len(s) && (isDigit(s[j]) || s[j] == '.' && j+1 < len(s) && isDigit(s[j+1])) {
			if s[j] == '.' {
				dots++
			}
			j++
		}
		if dots == 3 && j-i <= 15 && len(sc.hits) < maxCandidates && !(j < len(s) && s[j] == '#') {
			sc.hits = append(sc.hits, labelHit{is: labelIP, value: s[i:j], text: i, raw: t.raw(i), end: t.raw(i)})
			return
		}
		i = j
	}
}

func (t *screen) rawEnd(text int) int {
	for i := range t.lines {
		if t.lines[i].text >= text {
			return t.lines[i].raw
		}
	}
	return -1
}

// valueAfter returns what follows a label: the rest of the line, or the next
// line if nothing is left of it.
func valueAfter(s string, i int) (value string, at int) {
	for n := 0; n < 3; n++ {
		for i < len(s) && (s[i] == ' ' || s[i] == '*' || s[i] == '_') {
			i++
		}
		// A value is short; the rest of a long line is not read again for each
		// colon in it.
		end := index(s[:min(len(s), i+120)], '\n', min(i, len(s)))
		if end > i {
			end = min(end, i+120)
			for end > i && (s[end-1] == ' ' || s[end-1] == '*' || s[end-1] == '_') {
				end--
			}
			return s[i:end], i
		}
		i = end + 1
		if i >= len(s) {
			break
		}
	}
	return "", i
}

// digits returns the digits at the start of s without the blanks and dashes
// between them.
func (sc *scratch) digits(s string) string {
	n := len(sc.a.b)
	i := 0
	for i < len(s) && (isDigit(s[i]) || len(sc.a.b) > n && (s[i] == ' ' || s[i] == '-')) {
		if isDigit(s[i]) {
			sc.a.b = append(sc.a.b, s[i])
		}
		i++
	}
	if i < len(s) && isAlnum(s[i]) && s[i-min(i, 1)] != ' ' {
		sc.a.b = sc.a.b[:n]
		return ""
	}
	return sc.a.since(n)
}

// spaced returns a passcode that is written in groups of up to four digits, as
// in "448 812", without the blanks; "" if s is no such. The groups have to be all
// that the line has, or all before a bracket or the "#" of a telephone's keys:
// half of a passcode opens nothing, and a number more belongs to something else.
func (sc *scratch) spaced(s string) string {
	if i := strings.IndexAny(s, "#(（"); i > 0 {
		s = s[:i]
	}
	s = strings.TrimRight(s, " .,;")
	digits, group, groups := 0, 0, 0
	for i := range len(s) {
		switch {
		case isDigit(s[i]):
			digits, group = digits+1, group+1
		case s[i] == ' ' && group >= 1 && group <= 4:
			groups, group = groups+1, 0
		default:
			return ""
		}
	}
	if groups == 0 || group < 2 || group > 4 || digits > 10 {
		return ""
	}
	return sc.digits(s)
}

// tokenEnds are the signs that a passcode ends before, and mayEndToken the bytes
// that they begin with.
const tokenEnds = " |(<>\"（）「」、。，；"

var mayEndToken = func() (table [256]bool) {
	for _, r := range tokenEnds {
		table[string(r)[0]] = true
	}
	return table
}()

// token returns s up to the first blank or bracket, without the punctuation of
// the sentence that it ends.
func token(s string) string {
	for _, q := range [...][2]string{{"\"", "\""}, {"“", "”"}, {"„", "“"}, {"«", "»"}} {
		if quoted, ok := strings.CutPrefix(s, q[0]); ok {
			quoted, _, _ = strings.Cut(quoted, q[1])
			return strings.TrimSpace(quoted)
		}
	}
	for from := 0; ; {
		i := from
		for i < len(s) && !mayEndToken[s[i]] {
			i++
		}
		if i == len(s) {
			break
		}
		if r, _ := utf8.DecodeRuneInString(s[i:]); r >= utf8.RuneSelf && !strings.ContainsRune(tokenEnds, r) {
			from = i + 1
			continue
		}
		// Of the signs in a passcode "<" is one, unless a link stands in it.
		if s[i] == '>' || s[i] == '<' && !strings.Contains(s[i:min(len(s), i+12)], ":") {
			from = i + 1
			continue
		}
		s = s[:i]
		break
	}
	return strings.TrimRight(s, ".,;)]")
}

// shapedID recognizes a Teams meeting id by its groups of three digits, whatever
// the language of the label. It is at least twelve digits long; a telephone
// conference's has nine and ends with "#".
func shapedID(value string) bool {
	digits, groups, n := 0, 0, 0
	for i := 0; i < len(value); i++ {
		switch {
		case isDigit(value[i]):
			digits++
			n++
		case value[i] == ' ' && n == 3:
			groups, n = groups+1, 0
		default:
			return false
		}
	}
	return digits >= 12 && digits <= 15 && groups >= 3
}

// shapedVideoID recognizes the conference id of a Teams block by its groups of
// three digits, or its ten digits in one.
func shapedVideoID(value string) bool {
	digits := 0
	for i := range len(value) {
		switch {
		case isDigit(value[i]):
			digits++
		case value[i] != ' ' || digits%3 != 0:
			return false
		}
	}
	return digits >= 9 && digits <= 11
}

// tenantBefore reports whether the address of a video partner's tenant stands in
// the lines before an offset of the text.
func (sc *scratch) tenantBefore(s string, pos int) bool {
	_, host, _ := strings.Cut(addressBefore(s, pos), "@")
	for i := range cviHosts {
		if fold(host, cviHosts[i].host) {
			return true
		}
	}
	return false
}

// pinInBrackets returns the numeric passcode in the brackets behind a passcode,
// as Webex writes it: "(12345678 from phones and video systems)". Some languages
// have the words before the number, which then is known by its length.
func (sc *scratch) pinInBrackets(s string) string {
	s = strings.TrimLeft(s, " ")
	var ok bool
	if s, ok = strings.CutPrefix(s, "("); !ok {
		if s, ok = strings.CutPrefix(s, "（"); !ok {
			return ""
		}
	}
	if s != "" && isDigit(s[0]) {
		return sc.digits(s)
	}
	i := 0
	for i < len(s) && s[i] != ')' && !isDigit(s[i]) {
		i++
	}
	if n := digitWidth(s[i:]); n >= 6 { // else a time, a day
		return s[i : i+n]
	}
	return ""
}

// webexPasswords takes "X (12345678 from phones and video systems)" apart,
// whatever the language of the label before it.
func (sc *scratch) webexPasswords(value string) (pass, pin string) {
	open := strings.Index(value, " (")
	if open <= 0 || strings.IndexByte(value[:open], ' ') >= 0 {
		return "", ""
	}
	rest := value[open+2:]
	if n := digitWidth(rest); n >= 4 && n <= 12 && n < len(rest) && rest[n] == ' ' {
		return value[:open], rest[:n]
	}
	if !sc.hasService("webex") {
		return "", ""
	}
	return value[:open], sc.pinInBrackets(value[open:])
}

// isLinked reports whether a value is the number of a meeting whose link was
// found: then the label says so, in whatever language.
func (sc *scratch) isLinked(value string) bool {
	if !isDigit(value[0]) {
		return false
	}
	n := len(sc.a.b)
	id, is := sc.digits(value), false
	for i := range sc.found {
		is = is || sc.found[i].kind == isLink && len(id) >= 9 && sc.found[i].id == id
	}
	sc.a.b = sc.a.b[:n]
	return is
}

// digitWidth returns how many digits s begins with.
func digitWidth(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// hasService reports whether a link of a service was found.
func (sc *scratch) hasService(name string) bool {
	for i := range sc.found {
		if r := sc.found[i].rule; r != nil && r.Service == name {
			return true
		}
	}
	return false
}

// shapedCode recognizes the passcode on the line after such an id: one word of
// letters and digits.
func shapedCode(value string) bool {
	for i := 0; i < len(value); i++ {
		if !isAlnum(value[i]) {
			return false
		}
	}
	return len(value) >= 6 && len(value) <= 12
}
