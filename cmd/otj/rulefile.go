package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/rules"
)

// ruleFlags are the flags of the commands that decide by rules.
type ruleFlags struct {
	file string
	own  []string
}

func (r *ruleFlags) register(fs *flag.FlagSet) {
	fs.Func("rules", "rule `file` to use before the default rules", func(s string) error {
		if r.file != "" {
			return errors.New("one file is all; put the rules of both into it")
		}
		r.file = s
		return nil
	})
	r.registerOwn(fs)
}

func (r *ruleFlags) registerOwn(fs *flag.FlagSet) {
	fs.Func("own-domain", "a mail `domain` of your own, for rules that tell internal from external organizers; may be given more than once", func(s string) error {
		if s == "" || strings.ContainsAny(s, "@/: ,") {
			return errors.New("name a domain alone, such as contoso.example")
		}
		r.own = append(r.own, s)
		return nil
	})
}

// options are those of the engine, and of the check of its rules.
func (r *ruleFlags) options() *rules.Options { return &rules.Options{OwnDomains: r.own} }

// engine makes an engine of the rule file that the flags name.
func (r *ruleFlags) engine() (*rules.Engine, error) { return r.engineOf(r.file) }

// engineOf makes an engine of a rule file, which may be "" for none, and the
// default rules.
func (r *ruleFlags) engineOf(file string) (*rules.Engine, error) {
	if file == "" {
		return rules.New(nil, r.options())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, plain(err))
	}
	list, err := rules.Parse(file, data)
	if err != nil {
		return nil, err
	}
	engine, err := rules.New(list, r.options())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return engine, nil
}
