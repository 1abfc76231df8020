package devregistry

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// state is all that the registry knows. It is changed by [state.apply] alone.
type state struct {
	Format   int                 `json:"format"` // 2; 1 has no changes behind it
	Schemas  map[int]*schema     `json:"schemas"`
	Subjects map[string]*subject `json:"subjects"`
	Level    string              `json:"compatibility"`
	Policy   compat.Policy       `json:"policy,omitempty"` // none is strict
	Mode     string              `json:"mode"`

	last int              // the highest id
	ids  map[identity]int // the lowest id of equal schemas
}

// schema is one by its id, in whatever subjects it is.
type schema struct {
	Type       registry.Type        `json:"type"`
	Text       string               `json:"schema"`
	References []registry.Reference `json:"references,omitempty"`

	parsed *compat.Parsed // nil where it cannot be read any more
	plain  identity
	normal identity
}

// identity is what two equal schemas have in common, as they stand or normalized; a
// hash, and zero for a schema that equals none.
type identity [sha256.Size]byte

type subject struct {
	Versions []*version    `json:"versions,omitempty"` // by number
	Level    string        `json:"compatibility,omitempty"`
	Policy   compat.Policy `json:"policy,omitempty"`
	Mode     string        `json:"mode,omitempty"`
}

type version struct {
	Number  int  `json:"version"`
	ID      int  `json:"id"`
	Deleted bool `json:"deleted,omitempty"`
}

func newState() *state {
	return &state{Format: format, Schemas: map[int]*schema{}, Subjects: map[string]*subject{}, Level: "BACKWARD", Mode: "READWRITE", ids: map[identity]int{}}
}

// index makes what is not in the file.
func (s *state) index() {
	for id, x := range s.Schemas {
		s.add(id, x)
	}
}

// add makes a schema known under its id.
func (s *state) add(id int, x *schema) {
	s.Schemas[id] = x
	s.last = max(s.last, id)
	if x.parsed == nil {
		_ = s.parse(x) // from the file, into which it came valid; what newer rules refuse can be read and not compared
	}
	for _, key := range []identity{x.plain, x.normal} {
		if own, ok := s.ids[key]; key != (identity{}) && (!ok || id < own) {
			s.ids[key] = id
		}
	}
}

// parse reads a schema, once; the error says why it is not valid.
func (s *state) parse(x *schema) error {
	deps, err := s.dependencies(x.References)
	if err != nil {
		return err
	}
	p, err := compat.Parse(x.whole(), deps)
	if err != nil {
		return err
	}
	refs, err := json.Marshal(x.References)
	if err != nil {
		return err
	}
	for normalize, key := range map[bool]*identity{false: &x.plain, true: &x.normal} {
		text, err := p.Canonical(normalize)
		if err != nil {
			return err
		}
		*key = sha256.Sum256(fmt.Appendf(nil, "%s\x00%v\x00%s\x00%s", x.Type, normalize, refs, text))
	}
	x.parsed = p
	return nil
}

func (x *schema) identity(normalize bool) identity {
	if normalize {
		return x.normal
	}
	return x.plain
}

func (x *schema) whole() *registry.Schema {
	return &registry.Schema{Type: x.Type, Text: x.Text, References: x.References}
}

// dependencies resolves references against what is registered, deleted versions
// too.
func (s *state) dependencies(refs []registry.Reference) ([]registry.Dependency, error) {
	var out []registry.Dependency
	seen := map[registry.Reference]bool{}
	var walk func(refs []registry.Reference) error
	walk = func(refs []registry.Reference) error {
		for _, r := range refs {
			if seen[r] {
				continue
			}
			seen[r] = true
			v := s.find(r.Subject, r.Version, true)
			if v == nil {
				return fmt.Errorf("no schema reference found for subject \"%s\" and version %d", r.Subject, r.Version)
			}
			x := s.Schemas[v.ID]
			if err := walk(x.References); err != nil {
				return err
			}
			out = append(out, registry.Dependency{Reference: r, Schema: x.whole()})
		}
		return nil
	}
	return out, walk(refs)
}

// find returns a version of a subject, or nil.
func (s *state) find(name string, number int, deleted bool) *version {
	sub := s.Subjects[name]
	if sub == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(sub.Versions, number, func(v *version, n int) int { return v.Number - n })
	if !ok || sub.Versions[i].Deleted && !deleted {
		return nil
	}
	return sub.Versions[i]
}

// versions returns the versions of a subject, with the deleted ones if asked.
func (s *state) versions(name string, deleted bool) []*version {
	sub := s.Subjects[name]
	if sub == nil {
		return nil
	}
	var out []*version
	for _, v := range sub.Versions {
		if deleted || !v.Deleted {
			out = append(out, v)
		}
	}
	return out
}

// versionWith returns the newest version of a subject that has an equal schema, or
// nil.
func (s *state) versionWith(name string, x *schema, normalize, deleted bool) *version {
	sub := s.Subjects[name]
	if sub == nil {
		return nil
	}
	for _, v := range slices.Backward(sub.Versions) {
		if (deleted || !v.Deleted) && s.Schemas[v.ID].identity(normalize) == x.identity(normalize) {
			return v
		}
	}
	return nil
}

// referrers returns the ids of the schemas that refer to a version.
func (s *state) referrers(name string, number int) []int {
	out := []int{}
	for id, x := range s.Schemas {
		if slices.ContainsFunc(x.References, func(r registry.Reference) bool { return r.Subject == name && r.Version == number }) && s.used(id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// used reports whether an id stands in a version that is not deleted.
func (s *state) used(id int) bool {
	for _, sub := range s.Subjects {
		if slices.ContainsFunc(sub.Versions, func(v *version) bool { return v.ID == id && !v.Deleted }) {
			return true
		}
	}
	return false
}

func (s *state) level(name string) string {
	if sub := s.Subjects[name]; sub != nil && sub.Level != "" {
		return sub.Level
	}
	return s.Level
}

func (s *state) policy(name string) compat.Policy {
	if sub := s.Subjects[name]; sub != nil && sub.Policy != "" {
		return sub.Policy
	}
	return s.Policy
}

func (s *state) mode(name string) string {
	if sub := s.Subjects[name]; sub != nil && sub.Mode != "" {
		return sub.Mode
	}
	return s.Mode
}
