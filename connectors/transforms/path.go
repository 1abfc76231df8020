package transforms

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// syntaxVersion is the setting of KIP-821. Kafka Connect 4.1 has it on
// ExtractField alone; here every transform that names fields has it.
const syntaxVersion = "field.syntax.version"

// ownGroup is the group of settings that Kafka Connect's class of that name lacks.
const ownGroup = "Troupe"

// addedSyntaxKey is syntaxKey for the transforms that do not have it in Kafka
// Connect.
func addedSyntaxKey() configdef.Key {
	k := syntaxKey()
	k.Group = ownGroup
	return k
}

func syntaxKey() configdef.Key {
	return configdef.Key{
		Name: syntaxVersion, Type: configdef.String, Default: "V1", Importance: configdef.High,
		Validator: configdef.OneOfAnyCase("V1", "V2"),
		Doc: "Defines the version of the syntax to access fields. If set to `V1`, then the field paths are limited to access the elements at the root level of the struct or map. " +
			"If set to `V2`, the syntax will support accessing nested elements. To access nested elements, dotted notation is used. " +
			"If dots are already included in the field name, then backtick pairs can be used to wrap field names containing dots. " +
			"E.g. to access the subfield `baz` from a field named \"foo.bar\" in a struct/map the following format can be used to access its elements: \"`foo.bar`.baz\".",
	}
}

func usesPaths(c *configdef.Values) bool { return strings.EqualFold(c.String(syntaxVersion), "V2") }

// pathFaults is the rule about paths: a backtick that begins one has its partner.
func (s *spec) pathFaults(c *configdef.Values) (out []*configdef.Error) {
	if slices.ContainsFunc(s.keys, func(k configdef.Key) bool { return k.Name == syntaxVersion }) && !usesPaths(c) {
		return nil
	}
	for _, name := range s.paths {
		for _, path := range pathsIn(name, c.Raw(name)) {
			if _, err := parsePath(path); err != nil {
				out = append(out, configdef.ErrorOn(name, "%s", err))
				break
			}
		}
	}
	return out
}

// pathsIn returns the paths in the value of a setting.
func pathsIn(name string, value any) []string {
	text, ok := value.(string)
	if ok {
		if n := len(text); n > 0 && strings.HasSuffix(name, ".field") && strings.ContainsRune("!?", rune(text[n-1])) {
			text = text[:n-1] // InsertField says there whether the field is required
		}
		return []string{text}
	}
	list, _ := value.([]string)
	if name != "spec" && name != "renames" {
		return list
	}
	var out []string
	for _, pair := range list {
		parts := splitColon(pair)
		if len(parts) == 2 {
			out = append(out, trim(parts[0]))
		}
		if name == "renames" {
			out = append(out, parts[1:]...) // a name, which may be in backticks
		}
	}
	return out
}

// pathStep is one step of a path: into a field, and from there into the elements
// of an array, of an array of arrays and so on.
type pathStep struct {
	name  string
	elems int
}

func throughArrays(steps []pathStep) bool {
	for _, s := range steps {
		if s.elems > 0 {
			return true
		}
	}
	return false
}

// parsePath splits a path of KIP-821 into its steps. A step that begins with a
// backtick runs to the next one that stands before a dot or at the end and has
// no backslash before it; every other backtick stands for itself, and the
// backslash of one before a dot is dropped.
//
// Ours is that "[]" after a name leads to the elements of an array; after a name
// in backticks it stands outside of them.
func parsePath(path string) ([]pathStep, error) {
	if path == "" {
		return nil, nil
	}
	var steps []pathStep
	for rest := path; ; {
		if !strings.HasPrefix(rest, "`") {
			name, after, more := strings.Cut(rest, ".")
			s := pathStep{name: name}
			for len(s.name) > 2 && strings.HasSuffix(s.name, "[]") {
				s.name, s.elems = s.name[:len(s.name)-2], s.elems+1
			}
			steps = append(steps, s)
			if !more {
				return steps, nil
			}
			rest = after
			continue
		}
		s, n := quotedStep(rest[1:])
		if n < 0 {
			at := len([]rune(path[:len(path)-len(rest)]))
			return nil, connectors.ConfigError("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", path, at)
		}
		steps = append(steps, s)
		rest = rest[1+n:]
		if rest == "" {
			return steps, nil
		}
		rest = rest[1:] // the dot
	}
}

// quotedStep reads a step whose first backtick is behind us, and returns how many
// bytes it takes with its last backtick and brackets; -1 when that is not there.
func quotedStep(s string) (step pathStep, n int) {
	var b strings.Builder
	from := 0
	for i := range len(s) {
		if s[i] != '`' {
			continue
		}
		elems, after := 0, s[i+1:]
		for strings.HasPrefix(after, "[]") {
			elems, after = elems+1, after[2:]
		}
		end := after == ""
		if !end && after[0] != '.' {
			continue
		}
		// The first character of a step cannot be escaped: before it is the backtick.
		escaped := i > 0 && s[i-1] == '\\'
		if !escaped {
			b.WriteString(s[from:i])
			return pathStep{b.String(), elems}, len(s) - len(after)
		}
		if end && elems == 0 {
			return pathStep{}, -1
		}
		b.WriteString(s[from:i-1] + "`")
		from = i + 1
	}
	return pathStep{}, -1
}
