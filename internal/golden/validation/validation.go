// Package validation compares answers of PUT …/config/validate with recorded ones
// (config_validate.jsonl). Only tests import it.
package validation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
)

// Diff says how a validation's answer differs from the recorded one, "" for not
// at all. Settings that Kafka Connect lacks stand in groups called Troupe and do not
// count; of the proposed classes only Kafka's do, and of what the Java runtime says of
// a regular expression only that it says something.
func Diff(want, got configdef.Infos) string {
	var diffs []string
	differ := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	groups := slices.DeleteFunc(slices.Clone(got.Groups), added)
	if got.Name != want.Name || got.ErrorCount != want.ErrorCount || !slices.Equal(groups, want.Groups) {
		differ("got %s, %d errors, groups %q; want %s, %d, %q", got.Name, got.ErrorCount, groups, want.Name, want.ErrorCount, want.Groups)
	}
	ours := slices.DeleteFunc(slices.Clone(got.Configs), func(c configdef.Info) bool {
		return c.Definition != nil && c.Definition.Group != nil && added(*c.Definition.Group)
	})
	names := func(infos []configdef.Info) (out []string) {
		for _, c := range infos {
			out = append(out, c.Value.Name)
		}
		return out
	}
	if g, w := names(ours), names(want.Configs); !slices.Equal(g, w) {
		differ("settings listed:\n got %q\nwant %q", g, w)
		return strings.Join(diffs, "\n")
	}
	for i, w := range want.Configs {
		if g, w := counted(ours[i]), counted(w); !bytes.Equal(g, w) {
			differ("%s:\n got %s\nwant %s", ours[i].Value.Name, g, w)
		}
	}
	return strings.Join(diffs, "\n")
}

func added(group string) bool { return group == "Troupe" || strings.HasSuffix(group, ": Troupe") }

// counted is a setting of an answer as text, without what does not count.
func counted(c configdef.Info) []byte {
	if c.Value != nil {
		v := *c.Value
		v.RecommendedValues = slices.DeleteFunc(slices.Clone(v.RecommendedValues), func(class string) bool {
			return strings.Contains(class, ".") && strings.Trim(class, "0123456789.") != "" && !strings.HasPrefix(class, "org.apache.kafka.")
		})
		v.Errors = slices.Clone(v.Errors)
		for i, e := range v.Errors {
			if before, _, ok := strings.Cut(e, "Invalid regex: "); ok {
				v.Errors[i] = before + "Invalid regex: "
			}
		}
		c.Value = &v
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return b
}

// MemberOrder returns the names of a flat JSON object's members as they stand in it.
func MemberOrder(object []byte) (names []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	for i := 0; ; i++ {
		token, err := d.Token()
		if err != nil {
			return names
		}
		if name, ok := token.(string); ok && i%2 == 1 { // after the brace, names and values take turns
			names = append(names, name)
		}
	}
}

// Layout names the members of an answer's first setting in their order.
func Layout(answer []byte) (string, error) {
	var body struct {
		Configs []struct{ Definition, Value json.RawMessage }
	}
	if err := json.Unmarshal(answer, &body); err != nil || len(body.Configs) == 0 {
		return "", err
	}
	out := []string{}
	for _, part := range []json.RawMessage{body.Configs[0].Definition, body.Configs[0].Value} {
		d := json.NewDecoder(bytes.NewReader(part))
		depth, isName := 0, false
		for token, err := d.Token(); err == nil; token, err = d.Token() {
			switch v := token.(type) {
			case json.Delim:
				if v == '{' || v == '[' {
					depth++
				} else {
					depth--
				}
				isName = true
				continue
			case string:
				if isName && depth == 1 {
					out = append(out, v)
				}
			}
			isName = !isName
		}
	}
	return strings.Join(out, " "), nil
}
