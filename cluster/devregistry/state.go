package devregistry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// state is all that the registry knows, as the file has it.
type state struct {
	Format   int                 `json:"format"` // 1
	Schemas  map[int]*schema     `json:"schemas"`
	Subjects map[string]*subject `json:"subjects"`
	Level    string              `json:"compatibility"`
	Mode     string              `json:"mode"`
}

// schema is one by its id, in whatever subjects it is.
type schema struct {
	Type       registry.Type        `json:"type"`
	Text       string               `json:"schema"`
	References []registry.Reference `json:"references,omitempty"`
}

type subject struct {
	Versions []*version `json:"versions,omitempty"` // by number
	Level    string     `json:"compatibility,omitempty"`
	Mode     string     `json:"mode,omitempty"`
}

type version struct {
	Number  int  `json:"version"`
	ID      int  `json:"id"`
	Deleted bool `json:"deleted,omitempty"`
}

func newState() *state {
	return &state{Format: 1, Schemas: map[int]*schema{}, Subjects: map[string]*subject{}, Level: "BACKWARD", Mode: "READWRITE"}
}

// load reads the file; one that is not there is an empty registry.
func load(path string) (*state, error) {
	s := newState()
	if path == "" {
		return s, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err == nil && s.Format != 1 {
		err = fmt.Errorf("its format is %d, which this version does not know", s.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the dev registry's file %s: %w", path, err)
	}
	return s, nil
}

// save writes the file.
func (s *state) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = writeFile(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the dev registry's file %s: %w", path, err)
	}
	return nil
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
	for _, v := range s.versions(name, deleted) {
		if v.Number == number {
			return v
		}
	}
	return nil
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

// identity is what two equal schemas have in common.
func (s *state) identity(x *registry.Schema, normalize bool) (string, error) {
	deps, err := s.dependencies(x.References)
	if err != nil {
		return "", err
	}
	text, err := compat.Canonical(x, deps, normalize)
	if err != nil {
		return "", err
	}
	refs, err := json.Marshal(x.References)
	return string(x.Type) + "\x00" + string(refs) + "\x00" + text, err
}

// idOf returns the id of an equal schema, 0 if there is none.
func (s *state) idOf(identity string, normalize bool) int {
	for _, id := range slices.Sorted(maps.Keys(s.Schemas)) {
		if own, err := s.identity(s.Schemas[id].whole(), normalize); err == nil && own == identity {
			return id
		}
	}
	return 0
}

// versionWith returns the newest version of a subject that has an equal schema, or
// nil.
func (s *state) versionWith(name, identity string, normalize, deleted bool) *version {
	all := s.versions(name, deleted)
	for _, v := range slices.Backward(all) {
		if own, err := s.identity(s.Schemas[v.ID].whole(), normalize); err == nil && own == identity {
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

func (s *state) mode(name string) string {
	if sub := s.Subjects[name]; sub != nil && sub.Mode != "" {
		return sub.Mode
	}
	return s.Mode
}

// of returns a subject, which it makes if need be.
func (s *state) of(name string) *subject {
	if s.Subjects[name] == nil {
		s.Subjects[name] = &subject{}
	}
	return s.Subjects[name]
}
