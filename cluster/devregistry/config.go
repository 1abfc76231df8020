package devregistry

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/registry/compat"
)

// levelAnswer tells a level; the policy too where one was set.
type levelAnswer struct {
	Level  string        `json:"compatibilityLevel"`
	Policy compat.Policy `json:"compatibilityPolicy,omitempty"`
}

type levelText struct {
	Level  string        `json:"compatibility,omitempty"`
	Policy compat.Policy `json:"compatibilityPolicy,omitempty"`
}

func getLevel(q *question) (any, error) {
	sub := q.s.Subjects[q.subject()]
	switch {
	case sub != nil && (sub.Level != "" || sub.Policy != ""):
		return levelAnswer{q.s.level(q.subject()), sub.Policy}, nil
	case q.flag("defaultToGlobal"):
		return levelAnswer{q.s.Level, q.s.Policy}, nil
	}
	return nil, noSubjectConfig(q.subject())
}

// setLevel sets the level, the policy, or both: what is not named stays.
func setLevel(q *question) (any, *change, error) {
	var b levelText
	if err := q.body(&b); err != nil {
		return nil, nil, err
	}
	b.Level, b.Policy = strings.ToUpper(b.Level), compat.Policy(strings.ToUpper(string(b.Policy)))
	if !slices.Contains(levels, b.Level) && (b.Level != "" || b.Policy == "") {
		return nil, nil, invalidLevel()
	}
	if b.Policy != "" && b.Policy != compat.Strict && b.Policy != compat.Lenient {
		return nil, nil, invalidPolicy()
	}
	return b, &change{Do: doLevel, Subject: q.subject(), Value: b.Level, Policy: b.Policy}, nil
}

func resetLevel(q *question) (any, *change, error) {
	was := levelAnswer{q.s.Level, q.s.Policy}
	if q.subject() != "" {
		sub := q.s.Subjects[q.subject()]
		if sub == nil || sub.Level == "" && sub.Policy == "" {
			return nil, nil, noSubjectConfig(q.subject())
		}
		was = levelAnswer{q.s.level(q.subject()), sub.Policy}
	}
	return was, &change{Do: doResetLevel, Subject: q.subject()}, nil
}

type modeText struct {
	Mode string `json:"mode"`
}

func getMode(q *question) (any, error) {
	sub := q.s.Subjects[q.subject()]
	switch {
	case sub != nil && sub.Mode != "":
		return modeText{sub.Mode}, nil
	case q.flag("defaultToGlobal"):
		return modeText{q.s.Mode}, nil
	}
	return nil, noSubjectMode(q.subject())
}

func setMode(q *question) (any, *change, error) {
	var b modeText
	if err := q.body(&b); err != nil {
		return nil, nil, err
	}
	b.Mode = strings.ToUpper(b.Mode)
	if !slices.Contains([]string{"READWRITE", "READONLY", "IMPORT"}, b.Mode) {
		return nil, nil, invalidMode()
	}
	if b.Mode == "IMPORT" && q.subject() != "" && len(q.s.versions(q.subject(), false)) > 0 && !q.flag("force") {
		return nil, nil, refuse(42205, "Cannot import since found existing subjects")
	}
	return b, &change{Do: doMode, Subject: q.subject(), Value: b.Mode}, nil
}

func resetMode(q *question) (any, *change, error) {
	was := q.s.Mode
	if q.subject() != "" {
		sub := q.s.Subjects[q.subject()]
		if sub == nil || sub.Mode == "" {
			return nil, nil, noSubjectMode(q.subject())
		}
		was = sub.Mode
	}
	return modeText{was}, &change{Do: doMode, Subject: q.subject()}, nil
}

type compatibility struct {
	OK       bool      `json:"is_compatible"`
	Messages *[]string `json:"messages,omitempty"` // with verbose=true
}

func (q *question) check(against func(level string) ([]*version, error)) (any, error) {
	x, _, err := q.schema()
	if err != nil {
		return nil, err
	}
	level := q.s.level(q.subject())
	versions, err := against(level)
	if err != nil {
		return nil, err
	}
	problems, err := q.s.problems(q.subject(), x, versions, level)
	if err != nil {
		return nil, invalidSchema(err)
	}
	out := compatibility{OK: len(problems) == 0}
	if q.flag("verbose") {
		problems = append([]string{}, problems...)
		out.Messages = &problems
	}
	return out, nil
}

// checkOne compares with one version, checkAll with those that registering would.
func checkOne(q *question) (any, error) {
	return q.check(func(string) ([]*version, error) {
		v, err := q.version(false)
		if err != nil {
			return nil, err
		}
		return []*version{v}, nil
	})
}

func checkAll(q *question) (any, error) {
	return q.check(func(level string) ([]*version, error) { return q.s.against(q.subject(), level), nil })
}
