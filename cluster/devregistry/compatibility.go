package devregistry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/codec/registry/compat"
)

// levels are the compatibility levels.
var levels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

// problems compares a schema with versions of a subject by a level: backward, it
// reads what they wrote; forward, they read what it writes; full, both. The
// messages are those of the first version that does not fit, the newest first, and
// nil when all do.
func (s *state) problems(name string, x *schema, against []*version, level string) ([]string, error) {
	direction, policy := strings.TrimSuffix(level, "_TRANSITIVE"), s.policy(name)
	for _, v := range slices.Backward(against) {
		old := s.Schemas[v.ID]
		if old.parsed == nil {
			return nil, fmt.Errorf("it cannot be compared with version %d, which is not valid", v.Number)
		}
		var found []string
		if direction == "FORWARD" || direction == "FULL" {
			found = append(found, told(x.Type, old.parsed.Reads(x.parsed, policy), "old", "new")...)
		}
		if direction == "BACKWARD" || direction == "FULL" {
			found = append(found, told(x.Type, x.parsed.Reads(old.parsed, policy), "new", "old")...)
		}
		if len(found) > 0 {
			return append(found, fmt.Sprintf("{oldSchemaVersion: %d}", v.Number), fmt.Sprintf("{oldSchema: '%s'}", old.Text),
				fmt.Sprintf("{validateFields: 'false', compatibility: '%s'}", level)), nil
		}
	}
	return nil, nil
}

// told are problems as Confluent's registry writes them, which is not JSON, and for
// each language of its own; that of JSON Schema opens one quote and closes another.
func told(kind registry.Type, problems []compat.Problem, reader, writer string) []string {
	out := make([]string, 0, len(problems))
	for _, p := range problems {
		text := p.Describe(reader, writer)
		switch kind {
		case registry.JSON:
			text = fmt.Sprintf("{errorType:\"%s\", description:\"%s'}", p.Type, text)
		case registry.Protobuf:
			text = fmt.Sprintf("{errorType:\"%s\", description:\"%s\"}", p.Type, text)
		default:
			text = fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", p.Type, text, p.Info)
		}
		out = append(out, text)
	}
	return out
}

// against returns the versions with which a level compares a new one.
func (s *state) against(name, level string) []*version {
	all := s.versions(name, false)
	if level == "NONE" || len(all) == 0 {
		return nil
	}
	if strings.HasSuffix(level, "_TRANSITIVE") {
		return all
	}
	return all[len(all)-1:]
}
