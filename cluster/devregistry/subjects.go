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
	v := q.s.versionWith(q.subject(), x, q.flag("normalize"), deleted)
	if v == nil {
		return nil, noSchema()
	}
	return q.versionBody(v), nil
}

// register adds a schema to a subject, unless it is there.
func register(q *question) (any, *change, error) {
	x, b, err := q.schema()
	if err != nil {
		return nil, nil, err
	}
	name, normalize := q.subject(), q.flag("normalize")
	if v := q.s.versionWith(name, x, normalize, false); v != nil {
		return registered{v.ID}, nil, nil
	}
	importing := false
	switch q.s.mode(name) {
	case "READONLY":
		return nil, nil, readOnly(name)
	case "IMPORT":
		importing = true
	default:
		if b.ID != 0 || b.Version != 0 {
			return nil, nil, refuse(42205, "Subject %s is not in import mode", name)
		}
	}
	if !importing {
		level := q.s.level(name)
		problems, err := q.s.problems(name, x, q.s.against(name, level), level)
		if err != nil {
			return nil, nil, invalidSchema(err)
		}
		if problems != nil {
			return nil, nil, incompatible(name, "["+strings.Join(problems, ", ")+"]")
		}
	}
	id := q.s.ids[x.identity(normalize)]
	switch {
	case b.ID != 0 && id != 0 && id != b.ID, b.ID != 0 && id == 0 && q.s.Schemas[b.ID] != nil:
		return nil, nil, refuse(42207, "Overwrite new schema with id %d is not permitted.", b.ID)
	case b.ID != 0:
		id = b.ID
	case id == 0:
		id = q.s.last + 1
	}
	number := 1
	if sub := q.s.Subjects[name]; sub != nil && len(sub.Versions) > 0 {
		number += sub.Versions[len(sub.Versions)-1].Number
	}
	if b.Version != 0 {
		if b.Version < number {
			return nil, nil, refuse(42205, "Version %d is not one more than previous version %d", b.Version, number-1)
		}
		number = b.Version
	}
	c := &change{Do: doRegister, Subject: name, Version: number, ID: id}
	if q.s.Schemas[id] == nil {
		c.Schema = x
	}
	return registered{id}, c, nil
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

func deleteSubject(q *question) (any, *change, error) {
	alive, all := q.s.versions(q.subject(), false), q.s.versions(q.subject(), true)
	permanent := q.flag("permanent")
	switch {
	case len(all) == 0:
		return nil, nil, noSubject(q.subject())
	case permanent && len(alive) > 0:
		return nil, nil, subjectNotDeleted(q.subject())
	case !permanent && len(alive) == 0:
		return nil, nil, subjectDeleted(q.subject())
	}
	if err := q.deletable(all); err != nil {
		return nil, nil, err
	}
	if permanent {
		return numbers(all), &change{Do: doPurgeSubject, Subject: q.subject()}, nil
	}
	return numbers(alive), &change{Do: doDeleteSubject, Subject: q.subject()}, nil
}

func deleteVersion(q *question) (any, *change, error) {
	permanent := q.flag("permanent")
	if len(q.s.versions(q.subject(), permanent)) == 0 {
		return nil, nil, noSubject(q.subject())
	}
	v, err := q.version(true)
	switch {
	case err != nil:
		return nil, nil, err
	case permanent && !v.Deleted:
		return nil, nil, versionNotDeleted(q.subject(), v.Number)
	case !permanent && v.Deleted:
		return nil, nil, versionDeleted(q.subject(), v.Number)
	}
	if err := q.deletable([]*version{v}); err != nil {
		return nil, nil, err
	}
	c := &change{Do: doDelete, Subject: q.subject(), Version: v.Number}
	if permanent {
		c.Do = doPurge
	}
	return v.Number, c, nil
}
