package app

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/internal/jsonc"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// rules reads the rule files. A mistake in one of them is shown there.
func (k *checker) rules() {
	var all []rules.Rule
	before := len(k.errs)
	for i, name := range k.c.Rules {
		path := k.c.path(name)
		at := fmt.Sprintf("/rules/%d", i)
		text, err := os.ReadFile(path)
		if err != nil {
			k.bad(at, "%v", err)
			continue
		}
		k.c.ruleTexts += fmt.Sprintf("%d:%s", len(text), text)
		list, err := rules.Parse(path, text)
		if err == nil {
			all = append(all, list...)
			continue
		}
		k.bad(at, "the rule file has mistakes")
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range joined.Unwrap() {
				var e *rules.SyntaxError
				if errors.As(err, &e) {
					k.errs = append(k.errs, &jsonc.Error{File: e.File, Line: e.Line, Column: e.Column, Msg: e.Msg, Snippet: e.Snippet})
				}
			}
		}
	}
	if len(k.errs) > before || len(k.c.Rules) == 0 && len(k.c.OwnDomains) == 0 {
		return
	}
	k.c.ruleTexts += strings.Join(k.c.OwnDomains, ",")
	engine, err := rules.New(all, &rules.Options{OwnDomains: k.c.OwnDomains})
	if err != nil {
		k.bad("/rules", "%v", err)
		return
	}
	k.c.engine = engine
}

func (k *checker) calendar(at string, cal *Calendar) {
	k.duration(child(at, "poll"), &cal.Poll)
	switch cal.Type {
	case "ics-file", "ics-folder":
		if cal.URL != "" {
			k.bad(child(at, "url"), `a calendar of type %q has a "path" and no "url"`, cal.Type)
		}
		if cal.Path == "" {
			k.bad(child(at, "path"), `a calendar of type %q needs a "path"`, cal.Type)
			return
		}
		cal.Path = k.c.path(cal.Path)
		switch info, err := os.Stat(cal.Path); {
		case err != nil:
			k.bad(child(at, "path"), "%v", err)
		case info.IsDir() != (cal.Type == "ics-folder"):
			k.bad(child(at, "path"), "%s is no %s", cal.Path, strings.TrimPrefix(cal.Type, "ics-"))
		}
	case "ics-feed":
		if cal.Path != "" {
			k.bad(child(at, "path"), `a calendar of type "ics-feed" has a "url" and no "path"`)
		}
		// The address is often a secret: it is not repeated.
		u, err := url.Parse(strings.ReplaceAll(cal.URL, "{mailbox}", "mailbox"))
		if err != nil || u.Scheme != "https" || u.Host == "" {
			k.bad(child(at, "url"), `a calendar of type "ics-feed" needs a "url" that begins with https://`)
		}
	case "microsoft365":
		k.graph(at, cal)
	case "":
		k.bad(child(at, "type"), `the calendar needs a "type": ics-file, ics-folder, ics-feed or microsoft365`)
	default:
		k.bad(child(at, "type"), "there is no calendar type %q: use ics-file, ics-folder, ics-feed or microsoft365", cal.Type)
	}
}

func (k *checker) sources(at string, r *Room) {
	if r.Calendar != "" || r.Mailbox != "" {
		k.source(at, Source{r.Calendar, r.Mailbox})
	}
	for i, s := range r.Calendars {
		k.source(fmt.Sprintf("%s/calendars/%d", at, i), s)
	}
	all := r.sources()
	if len(all) == 0 {
		k.bad(at, `the room needs a "calendar"`)
	}
	for i, s := range all {
		if slices.Contains(all[:i], s) {
			k.bad(child(at, "calendars"), "the room has the calendar %q, mailbox %q twice", s.Calendar, s.Mailbox)
		}
	}
}

func (k *checker) source(at string, s Source) {
	cal, ok := k.c.Calendars[s.Calendar]
	switch {
	case !ok:
		k.bad(child(at, "calendar"), "there is no calendar %q%s", s.Calendar, jsonc.Suggest(s.Calendar, sortedKeys(k.c.Calendars)))
	case s.Mailbox == "" && (cal.Type == "ics-folder" || cal.Type == "microsoft365" || strings.Contains(cal.URL, "{mailbox}")):
		k.bad(child(at, "mailbox"), `the calendar %q needs a "mailbox"`, s.Calendar)
	}
}
