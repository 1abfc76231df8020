package devregistry

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (q *question) byID() (int, *schema, error) {
	text := q.r.PathValue("id")
	id, err := strconv.Atoi(text)
	x := q.s.Schemas[id]
	if err != nil || x == nil {
		return 0, nil, noID(text)
	}
	return id, x, nil
}

func schemaByID(q *question) (any, error) {
	_, x, err := q.byID()
	if err != nil {
		return nil, err
	}
	return x.body(), nil
}

func schemaText(q *question) (any, error) {
	_, x, err := q.byID()
	if err != nil {
		return nil, err
	}
	return raw(x.Text), nil
}

type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// places returns where an id stands, by subject and version.
func (q *question) places(id int) []subjectVersion {
	out := []subjectVersion{}
	for _, name := range slices.Sorted(maps.Keys(q.s.Subjects)) {
		for _, v := range q.s.versions(name, q.flag("deleted")) {
			if v.ID == id {
				out = append(out, subjectVersion{name, v.Number})
			}
		}
	}
	return out
}

func subjectsOfID(q *question) (any, error) {
	id, _, err := q.byID()
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, p := range q.places(id) {
		if !slices.Contains(out, p.Subject) {
			out = append(out, p.Subject)
		}
	}
	return out, nil
}

func versionsOfID(q *question) (any, error) {
	id, _, err := q.byID()
	if err != nil {
		return nil, err
	}
	return q.places(id), nil
}

func listSchemas(q *question) (any, error) {
	out := []schemaBody{}
	for _, name := range slices.Sorted(maps.Keys(q.s.Subjects)) {
		if !strings.HasPrefix(name, q.r.URL.Query().Get("subjectPrefix")) {
			continue
		}
		all := q.s.versions(name, q.flag("deleted"))
		if q.flag("latestOnly") && len(all) > 0 {
			all = all[len(all)-1:]
		}
		for _, v := range all {
			b := q.versionBody(v)
			b.Subject = name
			out = append(out, b)
		}
	}
	return out, nil
}
