package protobuf

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// TestLenient: schemas that Confluent's registry takes although the compiler of
// Protobuf would not, and what even then is refused.
func TestLenient(t *testing.T) {
	for name, tc := range map[string]struct{ text, in, want, err string }{
		"enum from 1":      {text: `syntax = "proto3"; message M { E e = 1; repeated E l = 2; enum E { A = 1; B = 2; } }`, in: "\x12\x02\x02\x00", want: "Struct{e=A,l=[B, UNKNOWN_ENUM_VALUE_E_0]}"},
		"zero not first":   {text: `syntax = "proto3"; message M { E e = 1; enum E { B = 1; A = 0; } }`, in: "\x08\x00", want: "Struct{e=A}"},
		"names in JSON":    {text: `syntax = "proto3"; message M { N n = 1; message N { string a_b = 1; string aB = 2; } }`, in: "\x0a\x06\x0a\x01x\x12\x01y", want: "Struct{n=Struct{a_b=x,aB=y}}"},
		"default":          {text: `syntax = "proto3"; message M { string a = 1 [default = "x"]; int32 b = 2; }`, in: "", want: "Struct{a=x,b=0}"},
		"in an import":     {text: `syntax = "proto3"; import "other.proto"; message M { Other o = 1; }`, in: "\x0a\x02\x08\x01", want: "Struct{o=Struct{e=X}}"},
		"and a number":     {text: `syntax = "proto3"; message M { E e = 1; string b = 1; enum E { A = 1; } }`, err: "fields e and b both have the same tag 1"},
		"and a type":       {text: `syntax = "proto3"; message M { E e = 1; Nothing n = 2; enum E { A = 1; } }`, err: "unknown type Nothing"},
		"and another file": {text: `syntax = "proto3"; import "bad.proto"; message M { E e = 1; enum E { A = 1; } }`, err: "bad.proto:1:59: message Bad: fields a and b both have the same tag 1"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := compile(tc.text, map[string]string{"other.proto": `syntax = "proto3"; message Other { E e = 1; enum E { X = 1; } }`,
				"bad.proto": `syntax = "proto3"; message Bad { string a = 1; string b = 1; }`})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, dec, err := new(Mapping).connect(f.Messages().Get(0), 0)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := dec.read([]byte(tc.in)); err != nil || v.String() != tc.want {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
	// And as it is written.
	e := data.NewSchema(data.String).Name("E").Param(enumParam, "E").Param(enumParam+".A", "1").Param(enumParam+".B", "2").MustBuild()
	s := data.NewStructSchema().Name("M").Field("a_b", e).Field("aB", e).MustBuild()
	enc, dec, _, _, err := plans(&Mapping{}, s)
	if err != nil {
		t.Fatal(err)
	}
	out, err := enc.append(nil, data.OfStruct(data.NewStruct(s, []data.Value{data.OfString("B"), data.OfString("A")})))
	if err != nil || string(out) != "\x08\x02\x10\x01" {
		t.Errorf("got %x, %v", out, err)
	}
	if v, err := dec.read(out); err != nil || v.String() != "Struct{a_b=B,aB=A}" {
		t.Errorf("got %v, %v", v, err)
	}
}
