package devregistry

import (
	"maps"
	"slices"
	"strings"
)

func listSubjects(q *question) (any, error) {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(q.s.Subjects)) {
		alive, all := q.s.versions(name, false), q.s.versions(name, true)
		ok := len(alive) > 0
		switch {
		case q.flag("deletedOnly"):
			ok = len(alive) == 0 && len(all) > 0
		case q.flag("deleted"):
			ok = len(all) > 0
		}
		if ok && strings.HasPrefix(name, q.r.URL.Query().Get("subjectPrefix")) {
			out = append(out, name)
		}
	}
	return out, nil
}

func listVersions(q *question) (any, error) {
	all := q.s.versions(q.subject(), q.flag("deleted"))
	if len(all) == 0 {
		return nil, noSubject(q.subject())
	}
	return numbers(all), nil
}

func numbers(all []*version) []int {
	out := make([]int, len(all))
	for i, v := range all {
		out[i] = v.Number
	}
	return out
}

func getVersion(q *question) (any, error) {
	v, err := q.version(q.flag("deleted"))
	if err != nil {
		return nil, err
	}
	return q.versionBody(v), nil
}

func versionSchema(q *question) (any, error) {
	v, err := q.version(q.flag("deleted"))
	if err != nil {
		return nil, err
	}
	return raw(q.s.Schemas[v.ID].Text), nil
}

func referencedBy(q *question) (any, error) {
	v, err := q.version(true)
	if err != nil {
		return nil, err
	}
	return q.s.referrers(q.subject(), v.Number), nil
}

// lookUp says which version of a subject a schema is.
func lookUp(q *question) (any, error) {
	x, _, err := q.schema()
	if err != nil {
		return nil, err
	}
	deleted := q.flag("deleted")
	if len(q.s.versions(q.subject(), deleted)) == 0 {
		return nil, noSubject(q.subject())
	}
	identity, err := q.s.identity(x, q.flag("normalize"))
	if err != nil {
		return nil, invalidSchema(err)
	}
	v := q.s.versionWith(q.subject(), identity, q.flag("normalize"), deleted)
	if v == nil {
		return nil, noSchema()
	}
	return q.versionBody(v), nil
}

// register adds a schema to a subject, unless it is there.
func register(q *question) (any, error) {
	x, b, err := q.schema()
	if err != nil {
		return nil, err
	}
	name, normalize := q.subject(), q.flag("normalize")
	identity, err := q.s.identity(x, normalize)
	if err != nil {
		return nil, invalidSchema(err)
	}
	if v := q.s.versionWith(name, identity, normalize, false); v != nil {
		return registered{v.ID}, nil
	}
	importing := false
	switch q.s.mode(name) {
	case "READONLY":
		return nil, readOnly(name)
	case "IMPORT":
		importing = true
	default:
		if b.ID != 0 || b.Version != 0 {
			return nil, refuse(42205, "Subject %s is not in import mode", name)
		}
	}
	if !importing {
		level := q.s.level(name)
		problems, err := q.s.problems(x, q.s.against(name, level), level)
		if err != nil {
			return nil, invalidSchema(err)
		}
		if problems != nil {
			return nil, incompatible(name, "["+strings.Join(problems, ", ")+"]")
		}
	}
	id := q.s.idOf(identity, normalize)
	switch {
	case b.ID != 0 && id != 0 && id != b.ID, b.ID != 0 && id == 0 && q.s.Schemas[b.ID] != nil:
		return nil, refuse(42207, "Overwrite new schema with id %d is not permitted.", b.ID)
	case b.ID != 0:
		id = b.ID
	case id == 0:
		id = 1
		if len(q.s.Schemas) > 0 {
			id += slices.Max(slices.Collect(maps.Keys(q.s.Schemas)))
		}
	}
	if q.s.Schemas[id] == nil {
		q.s.Schemas[id] = &schema{Type: x.Type, Text: x.Text, References: x.References}
	}
	sub := q.s.of(name)
	number := 1
	if n := len(sub.Versions); n > 0 {
		number += sub.Versions[n-1].Number
	}
	if b.Version != 0 {
		if b.Version < number {
			return nil, refuse(42205, "Version %d is not one more than previous version %d", b.Version, number-1)
		}
		number = b.Version
	}
	sub.Versions = append(sub.Versions, &version{Number: number, ID: id})
	return registered{id}, nil
}

type registered struct {
	ID int `json:"id"`
}

// deletable refuses to delete versions that another schema refers to, or in a
// subject that is read-only.
func (q *question) deletable(versions []*version) error {
	if q.s.mode(q.subject()) == "READONLY" {
		return readOnly(q.subject())
	}
	for _, v := range versions {
		if len(q.s.referrers(q.subject(), v.Number)) > 0 {
			return referenced(q.subject(), v.Number)
		}
	}
	return nil
}

func deleteSubject(q *question) (any, error) {
	alive, all := q.s.versions(q.subject(), false), q.s.versions(q.subject(), true)
	permanent := q.flag("permanent")
	switch {
	case len(all) == 0:
		return nil, noSubject(q.subject())
	case permanent && len(alive) > 0:
		return nil, subjectNotDeleted(q.subject())
	case !permanent && len(alive) == 0:
		return nil, subjectDeleted(q.subject())
	}
	if err := q.deletable(all); err != nil {
		return nil, err
	}
	if permanent {
		out := numbers(all)
		delete(q.s.Subjects, q.subject())
		return out, nil
	}
	for _, v := range alive {
		v.Deleted = true
	}
	sub := q.s.Subjects[q.subject()]
	sub.Level, sub.Mode = "", ""
	return numbers(alive), nil
}

func deleteVersion(q *question) (any, error) {
	permanent := q.flag("permanent")
	if len(q.s.versions(q.subject(), permanent)) == 0 {
		return nil, noSubject(q.subject())
	}
	v, err := q.version(true)
	switch {
	case err != nil:
		return nil, err
	case permanent && !v.Deleted:
		return nil, versionNotDeleted(q.subject(), v.Number)
	case !permanent && v.Deleted:
		return nil, versionDeleted(q.subject(), v.Number)
	}
	if err := q.deletable([]*version{v}); err != nil {
		return nil, err
	}
	if !permanent {
		v.Deleted = true
		return v.Number, nil
	}
	sub := q.s.Subjects[q.subject()]
	sub.Versions = slices.DeleteFunc(sub.Versions, func(o *version) bool { return o == v })
	return v.Number, nil
}
