package jsonschema

import (
	"bytes"
	ejson "encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestIndent(t *testing.T) {
	for in, want := range map[string]string{
		`5`:      `5`,
		`""`:     `""`,
		`{}`:     `{ }`,
		`[]`:     `[ ]`,
		`[[],1]`: `[ [ ], 1 ]`,
		`{"a":1,"b":[1,"x:,{\"",{"c":{},"d":[{"e":null}]}],"f":{"g":true}}`: `{
  "a" : 1,
  "b" : [ 1, "x:,{\"", {
    "c" : { },
    "d" : [ {
      "e" : null
    } ]
  } ],
  "f" : {
    "g" : true
  }
}`,
	} {
		if got := string(appendIndented([]byte("-"), []byte(in))); got != "-"+want {
			t.Errorf("%s became\n%s", in, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) { // only blanks are added
		s := anySchema(t, 3)
		p := new(Mapping).Plan(s)
		doc, err := p.Append(nil, anyValue(t, s))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := ejson.Compact(&b, appendIndented(nil, doc)); err != nil || b.String() != string(doc) {
			t.Fatalf("%s became %s, %v", doc, b.String(), err)
		}
	})
}
