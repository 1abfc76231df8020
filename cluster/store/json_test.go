package store

import (
	"encoding/json"
	"testing"
)

func TestParseJSON(t *testing.T) {
	for in, want := range map[string]string{
		``:                          `null`,
		` null `:                    `null`,
		`true`:                      `true`,
		` [ 1 , -2.50 , "x" ] tail`: `[1,-2.5,"x"]`,
		`{"a":{"b":[]},"a":2}`:      `{"a":2}`,
		`12345678901234567890`:      `-6101065172474983726`,
		`1e400`:                     `"Infinity"`,
		`"\u00e9\/\ud83d\ude00"`:    `"é/😀"`,
		`{}{}`:                      `{}`,
	} {
		v, err := parseJSON([]byte(in))
		if got := string(appendJSON(nil, v)); err != nil || got != want {
			t.Errorf("%s is read as %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"{", "[", `"`, `"\`, "nul", "[1 2]", `{"a"}`, `{"a":}`, `{a:1}`, "-", "1.2.3", "[,]", `{"a":1,}`, "\"\n\"", "x"} {
		if v, err := parseJSON([]byte(in)); err == nil {
			t.Errorf("%q is read as %s", in, appendJSON(nil, v))
		}
	}
}

// FuzzJSON holds the parser against the standard library's: what that reads, ours
// reads, and what ours writes that reads.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,2.5,"x\n\u0000",null,true]}`)
	f.Add(`[12345678901234567890,-0,1e5]`)
	f.Fuzz(func(t *testing.T, in string) {
		v, err := parseJSON([]byte(in))
		valid := json.Valid([]byte(in))
		if err != nil {
			if valid && len(in) < jsonDepth {
				t.Errorf("%q is not read: %v", in, err)
			}
			return
		}
		out := appendJSON(nil, v)
		if !json.Valid(out) {
			t.Errorf("%q is written as %s", in, out)
		}
		again, err := parseJSON(out)
		if err != nil || string(appendJSON(nil, again)) != string(out) {
			t.Errorf("%s is read as %s, %v", out, appendJSON(nil, again), err)
		}
	})
}
