package json

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// A map is written entry by entry: what is wrong with an earlier one is told before
// the null key of a later one.
func TestErrorBeforeNullKey(t *testing.T) {
	s := data.NewMapSchema(data.StringSchema, data.Float32Schema).MustBuild()
	var b data.MapBuilder
	b.PutString("a", data.OfMap(data.MapOf(nil)))
	b.Put(data.Null, data.OfFloat32(1))
	c, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.FromConnect("t", s, data.OfMap(b.Build()), nil)
	if err == nil || err.Error() != "Invalid type for FLOAT32: class java.util.HashMap" {
		t.Errorf("got %v", err)
	}
}

func TestJSONLeniencies(t *testing.T) {
	c, err := New(map[string]string{SchemasEnableSetting: "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		"true\xc3[":                        false, // what follows a word has to be UTF-8
		"true\xc3\xa9":                     false,
		"true\xe2\x80\xa8":                 true,
		"true\xf0\x9f\x98\x80":             true,
		"0." + strings.Repeat("1", 999):    true,
		"0." + strings.Repeat("1", 1000):   false, // a thousand digits with the zero
		"-00." + strings.Repeat("1", 1000): false,
		strings.Repeat("0", 1500) + "1":    true,
	} {
		if _, _, err := c.ToConnect("t", []byte(text)); (err == nil) != ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	// What no character is, Jackson makes two halves of.
	if _, v, err := c.ToConnect("t", []byte("\"\xf4\x90\x80\x80\xf0\x9f\x98\x80\"")); err != nil || v.Str() != "\ufffd\ufffd\U0001f600" {
		t.Errorf("got %+q, %v", v.Str(), err)
	}
}
