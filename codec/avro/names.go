package avro

import (
	"net/url"
	"strings"

	"github.com/troupeio/troupe/codec/avro/schema"
)

var asJava = strings.NewReplacer("~", "%7E", "%2A", "*")

// scrub makes a name of any text, when the setting asks for it: what a URL would
// escape becomes underscores, an x stands before a digit.
func (o *options) scrubName(name string) string {
	if !o.scrub || name == "" || schema.ValidName(name) {
		return name
	}
	// Java's URLEncoder leaves the asterisk and escapes the tilde: Go's does the
	// contrary, and an escape has its digits in the result.
	b := []byte(asJava.Replace(url.QueryEscape(name)))
	if b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'x'}, b...)
	}
	for i, c := range b {
		if !schema.NameByte(c) {
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
