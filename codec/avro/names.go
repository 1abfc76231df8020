package avro

import (
	"net/url"
	"strings"

	"github.com/troupeio/troupe/codec/data"
)

func nameByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func validName(name string) bool {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return false
		}
	}
	return true
}

// checkName refuses what is no name in Avro, in the words of Java's Avro.
func checkName(name string) error {
	switch {
	case validName(name):
		return nil
	case name == "":
		return data.Errorf("Empty name")
	case !nameByte(name[0]) || name[0] >= '0' && name[0] <= '9':
		return data.Errorf("Illegal initial character: %s", name)
	}
	return data.Errorf("Illegal character in: %s", name)
}

// scrub makes a name of any text, when the setting asks for it: what a URL would
// escape becomes underscores, an x stands before a digit.
func (o *options) scrubName(name string) string {
	if !o.scrub || name == "" || validName(name) {
		return name
	}
	// Java's URLEncoder leaves the asterisk and escapes the tilde; both end as
	// underscores, but the tilde as three.
	b := []byte(strings.ReplaceAll(url.QueryEscape(name), "~", "%7E"))
	if b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'x'}, b...)
	}
	for i, c := range b {
		if !nameByte(c) {
			b[i] = '_'
		}
	}
	return string(b)
}

// split cuts a full name into its namespace and its name.
func (o *options) split(full string) (space, name string) {
	parts := strings.Split(strings.TrimRight(full, "."), ".")
	for i := range parts {
		parts[i] = o.scrubName(parts[i])
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "."), parts[last]
}

func (o *options) scrubFull(full string) string {
	if full == "" || !o.scrub {
		return full
	}
	space, name := o.split(full)
	if space == "" {
		return name
	}
	return space + "." + name
}
