package rules

import (
	"math"
	"strings"
)

// applyLabels gives the meetings of an event what its text says: numbers,
// passcodes, the conference ids of video blocks. Where a gateway hides the link
// of a meeting, it is rebuilt from them.
func (sc *scratch) applyLabels() {
	if len(sc.hits) == 0 {
		return
	}
	sc.older = -1
	field, source := FieldBody, sc.textSource
	all := func(*group) bool { return true }
	current, currentText := -1, 0
	tenant := -1
	orphan := group{link: -1}
	var orphanAt labelHit
	for i := range sc.hits {
		h := &sc.hits[i]
		switch h.is {
		case labelPhone:
			current = -1
		case labelID:
			g := -1
			for k := range sc.groups {
				if sc.groups[k].id == h.value {
					g = k
				}
			}
			if g < 0 {
				g = sc.near(field, source, h.raw, func(g *group) bool {
					return g.id == "" && (g.service == "teams" || g.link >= 0)
				})
			}
			if g >= 0 {
				if sc.groups[g].id == "" {
					sc.groups[g].id = h.value
				}
				sc.groups[g].told = true
				current, currentText = g, h.text
				continue
			}
			if orphan.id == "" {
				orphan.id, orphanAt = h.value, *h
			}
			current, currentText = -2, h.text
		case labelPasscode, labelPIN:
			g := current
			if g == -1 || h.text-currentText > 600 {
				g = sc.near(field, source, h.raw, all)
			}
			if g == -2 && sc.linkBetween(orphanAt.raw, h.raw) {
				g = sc.near(field, source, h.raw, all) // the number was another meeting's
			}
			if g == -2 || len(sc.groups) == 0 {
				if h.is == labelPasscode && orphan.pass == "" {
					orphan.pass = h.value
					orphanAt.end = h.end
				}
				continue
			}
			if g < 0 || sc.groups[g].service == "meet" { // which has none but for telephones
				continue
			}
			if h.bare && current == -1 && !sc.linkBetween(-1, h.lineEnd()) {
				continue // in a sentence before all meetings it is that of something else
			}
			x := &sc.groups[g]
			if h.is == labelPIN {
				if x.pin == "" {
					x.pin = h.value
				}
				continue
			}
			if h.value == x.id || sc.isNumber(h.value) {
				continue // telephones ask for the number as a passcode
			}
			if !x.named && (x.pass == "" || x.pass == x.pin) {
				x.pass, x.named = h.value, true
			}
			if h.pin != "" {
				x.pin = h.pin
			} else if x.pin == "" && isDigits(h.value) && x.service != "webex" {
				x.pin = h.value
			}
		case labelRoomPIN:
			// That of Meet and Teams is for telephones.
			g := sc.near(field, source, h.raw, func(g *group) bool { return g.service == "sip" || g.service == "pexip" || g.service == "cms" })
			if g >= 0 && sc.groups[g].pin == "" {
				sc.groups[g].pin = h.value
			}
		case labelIP:
			g := sc.near(field, source, h.raw, func(g *group) bool { return g.rule != nil && len(g.rule.Dial) > 0 })
			if g >= 0 && sc.groups[g].ip == "" {
				sc.groups[g].ip = h.value
			}
		case labelTenant:
			tenant = i
		case labelVideoID:
			sc.videoID(i, tenant)
		}
	}
	if orphan.id != "" {
		sc.rebuild(&orphan, &orphanAt)
	}
	// A meeting whose dial data alone were found may have its number and
	// passcode in the text too.
	for g := range sc.groups {
		if x := &sc.groups[g]; x.link < 0 && x.rebuilt == "" && x.told && len(sc.groups) == 1 {
			sc.restore(x)
		}
	}
}

// isNumber reports whether a value is what the text calls a meeting's number.
func (sc *scratch) isNumber(value string) bool {
	for i := range sc.hits {
		if h := &sc.hits[i]; len(value) >= 9 && h.is == labelID && h.value == value {
			return true
		}
	}
	return false
}

// lineEnd returns the last offset in the body of the line that a label is in.
func (h *labelHit) lineEnd() int {
	if h.end < 0 {
		return math.MaxInt
	}
	return max(h.raw, h.end-1)
}

// linkBetween reports whether a link of the text begins between two offsets.
func (sc *scratch) linkBetween(from, to int) bool {
	for i := range sc.found {
		if f := &sc.found[i]; f.kind == isLink && f.field >= FieldBody && f.span.Source == sc.textSource && from < f.span.Start && f.span.Start <= to {
			return true
		}
	}
	return false
}

// restore makes the join link of a meeting that has none from its number.
func (sc *scratch) restore(x *group) {
	r := sc.rule(x.service)
	if r == nil {
		return // a service that this engine does not know
	}
	a := &sc.a
	switch {
	case x.service == "teams" && len(x.id) >= 9 && x.pass != "":
		x.rebuilt, x.rule = a.join("https://teams.microsoft.com/meet/", x.id, "?p=", a.escape(x.pass)), r
	case x.service == "zoom" && len(x.id) >= 9 && len(x.id) <= 11:
		x.rebuilt, x.rule = a.join("https://zoom.us/j/", x.id), r
	}
}

// rule returns a rule of the default pack, or nil.
func (sc *scratch) rule(name string) *linkRule {
	for _, r := range sc.engine.links {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// videoID completes a Teams block whose dial data are in the text: the tenant's
// address stands in the lines before the conference id.
func (sc *scratch) videoID(i, tenant int) {
	h := &sc.hits[i]
	key := ""
	if tenant >= 0 {
		key = sc.hits[tenant].value
	} else {
		key = addressBefore(sc.text.String(), h.text)
	}
	user, host, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(key, "sip:"), "."), "@")
	g := sc.near(FieldBody, sc.textSource, h.raw, func(g *group) bool { return g.service == "teams" })
	// The link to the instructions is exact; text comes after it.
	for k := range sc.found {
		if f := &sc.found[k]; f.kind == isCVI && f.id == h.value && f.uri != "" {
			return
		}
	}
	if !ok || !word(user) || !isAlnum(user[0]) || !isAlnum(user[len(user)-1]) || !validHost(host) {
		return
	}
	a := &sc.a
	f := found{kind: isCVI, field: sc.fieldOf(h), scheme: SIP, host: host, id: h.value, group: g,
		span: Span{Source: sc.textSource, Start: h.raw, End: max(h.raw, h.end)}}
	f.uri = a.join("sip:", h.value, "@", host)
	for k := range cviHosts {
		if c := &cviHosts[k]; fold(host, c.host) {
			if strings.IndexByte(user, '.') >= 0 {
				return // no vendor's tenant key has a dot: it joins key and conference
			}
			value := func(name string) string {
				if name == "key" {
					return user
				}
				return h.value
			}
			f.uri, _ = a.expand(c.dial, value)
			f.h323, _ = a.expand(c.h323, value)
		}
	}
	if g < 0 {
		f.group = len(sc.groups)
		sc.groups = append(sc.groups, group{best: len(sc.found), link: -1, service: "teams", name: "teams-video", rank: rankOf(f.field), order: len(sc.found)})
	}
	sc.found = append(sc.found, f)
}

// addressBefore returns the last address in the 300 bytes before an offset.
func addressBefore(s string, pos int) string {
	lo := max(0, pos-300)
	at := strings.LastIndexByte(s[lo:pos], '@')
	if at < 0 {
		return ""
	}
	at += lo
	i, j := at, at+1
	for i > lo && (isAlnum(s[i-1]) || strings.IndexByte("-._", s[i-1]) >= 0) {
		i--
	}
	for j < pos && isHost(s[j]) {
		j++
	}
	return s[i:j]
}

// rebuild makes a join link of a number and a passcode in the text, for a
// meeting whose own link is hidden by a gateway or was lost.
func (sc *scratch) rebuild(o *group, h *labelHit) {
	for i := range sc.groups {
		if sc.groups[i].link >= 0 {
			return
		}
	}
	text := sc.text.String()
	switch {
	case strings.Contains(text, "Teams") && len(o.id) >= 9 && o.pass != "":
		o.service = "teams"
	case (sc.zoom || strings.Contains(text, "Zoom")) && !sc.registers && len(o.id) >= 9 && len(o.id) <= 11:
		o.service = "zoom"
		if isDigits(o.pass) {
			o.pin = o.pass
		}
	default:
		return
	}
	for g := range sc.groups {
		x := &sc.groups[g]
		if x.service == o.service && x.rebuilt == "" && (x.id == "" || x.id == o.id) {
			x.id, x.pass, x.pin = o.id, o.pass, o.pin
			sc.restore(x)
			return
		}
	}
	if sc.restore(o); o.rebuilt == "" {
		return
	}
	field := sc.fieldOf(h)
	o.name, o.rank = o.service, rankOf(field)
	o.best, o.order = len(sc.found), len(sc.found)
	sc.found = append(sc.found, found{kind: isOpaque, field: field, group: len(sc.groups),
		span: Span{Source: sc.textSource, Start: h.raw, End: max(h.raw, h.end)}})
	sc.groups = append(sc.groups, *o)
}
