package control

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/onetouchjoin/onetouchjoin/otj"
	"github.com/onetouchjoin/onetouchjoin/rules"
)

// OwnSettings are the display settings that a group decides by itself, with the
// ranges of [otj.Settings]. What is nil is as the company has it, also when the
// company changes it later.
type OwnSettings struct {
	DaysAhead           *int                `json:"days_ahead,omitempty"`
	StartBuffer         *int                `json:"start_buffer,omitempty"`
	EndBuffer           *int                `json:"end_buffer,omitempty"`
	NonVideo            *bool               `json:"non_video,omitempty"`
	Private             *bool               `json:"private,omitempty"`
	PrivateButton       *bool               `json:"private_button,omitempty"`
	ReplaceSubject      *otj.ReplaceSubject `json:"replace_subject,omitempty"`
	SubjectTemplate     *string             `json:"subject_template,omitempty"`
	ReplaceEmptySubject *bool               `json:"replace_empty_subject,omitempty"`
	Tentative           *bool               `json:"tentative,omitempty"`
	AllDay              *otj.Show           `json:"all_day,omitempty"`
	Overlapping         *bool               `json:"overlapping,omitempty"`
	// Prefer is as the company has it where it is empty.
	Prefer []rules.Scheme `json:"prefer,omitempty"`
}

// Over returns the company's settings with those that o decides. A nil o decides
// none.
func (o *OwnSettings) Over(company otj.Settings) otj.Settings {
	s := company
	if o == nil {
		return s
	}
	take(&s.DaysAhead, o.DaysAhead)
	take(&s.StartBuffer, o.StartBuffer)
	take(&s.EndBuffer, o.EndBuffer)
	take(&s.NonVideo, o.NonVideo)
	take(&s.Private, o.Private)
	take(&s.PrivateButton, o.PrivateButton)
	take(&s.ReplaceSubject, o.ReplaceSubject)
	take(&s.SubjectTemplate, o.SubjectTemplate)
	take(&s.ReplaceEmptySubject, o.ReplaceEmptySubject)
	take(&s.Tentative, o.Tentative)
	take(&s.AllDay, o.AllDay)
	take(&s.Overlapping, o.Overlapping)
	if len(o.Prefer) > 0 {
		s.Prefer = o.Prefer
	}
	return s
}

func take[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Differing returns what s has otherwise than the company; nil if that is
// nothing.
func Differing(s, company otj.Settings) *OwnSettings {
	o, n := &OwnSettings{}, 0
	differ(&o.DaysAhead, s.DaysAhead, company.DaysAhead, &n)
	differ(&o.StartBuffer, s.StartBuffer, company.StartBuffer, &n)
	differ(&o.EndBuffer, s.EndBuffer, company.EndBuffer, &n)
	differ(&o.NonVideo, s.NonVideo, company.NonVideo, &n)
	differ(&o.Private, s.Private, company.Private, &n)
	differ(&o.PrivateButton, s.PrivateButton, company.PrivateButton, &n)
	differ(&o.ReplaceSubject, s.ReplaceSubject, company.ReplaceSubject, &n)
	differ(&o.SubjectTemplate, s.SubjectTemplate, company.SubjectTemplate, &n)
	differ(&o.ReplaceEmptySubject, s.ReplaceEmptySubject, company.ReplaceEmptySubject, &n)
	differ(&o.Tentative, s.Tentative, company.Tentative, &n)
	differ(&o.AllDay, s.AllDay, company.AllDay, &n)
	differ(&o.Overlapping, s.Overlapping, company.Overlapping, &n)
	if !slices.Equal(s.Prefer, company.Prefer) {
		o.Prefer = s.Prefer
		n += len(s.Prefer)
	}
	if n == 0 {
		return nil
	}
	return o
}

func differ[T comparable](to **T, own, company T, n *int) {
	if own != company {
		*to = &own
		*n++
	}
}

// Decides returns the JSON names of the settings that o decides, in the order of
// the fields.
func (o *OwnSettings) Decides() (names []string) {
	if o == nil {
		return nil
	}
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() > 0 || f.Kind() == reflect.Pointer && !f.IsNil() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// Groups returns the groups of a company.
func (c *Centre) Groups(ctx context.Context, actor Actor, company string) ([]Group, error) {
	return listAll[Group](ctx, c, actor, company)
}

// Group returns one group.
func (c *Centre) Group(ctx context.Context, actor Actor, id string) (Group, error) {
	return one[Group](ctx, c, actor, id)
}

// SaveGroup makes a group, if g has no ID, or changes it at its Revision.
func (c *Centre) SaveGroup(ctx context.Context, actor Actor, g Group) (Group, error) {
	given := g
	err := c.update(ctx, actor, g.Company, func(ch *change) error {
		g = given
		if _, err := actor.org(ch, g.Company, Configure); err != nil {
			return err
		}
		g.Name, g.User, g.TimeZone = strings.TrimSpace(g.Name), strings.TrimSpace(g.User), strings.TrimSpace(g.TimeZone)
		if g.ID != "" {
			old, err := own[Group](ch, g.ID)
			if err != nil {
				return err
			}
			g.Company, g.Created, g.HasPassword = old.Company, old.Created, old.HasPassword
		} else {
			g.Revision, g.HasPassword = 0, false
		}
		if len(g.Settings.Decides()) == 0 {
			g.Settings = nil
		}
		var ck checks
		ck.text("name", g.Name, 250)
		ck.optional("user", g.User, 250)
		ck.zone("time_zone", g.TimeZone)
		ck.settings("settings", g.Settings.Over(otj.DefaultSettings()))
		if err := ck.err(); err != nil {
			return err
		}
		return put(ch, &g)
	})
	if err != nil {
		return Group{}, err
	}
	return g, nil
}
