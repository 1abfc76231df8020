package json

import (
	"bytes"
	ejson "encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

type vector struct {
	ID, Direction, Topic string
	Config               map[string]*string
	IsKey                bool
	Schema, Value        ejson.RawMessage
	Input                *golden.Bytes
	Output               ejson.RawMessage
	Error                *golden.Error
	Quirk                string
	FloatText            bool `json:"float_text_depends_on_jdk"`
}

// checkError compares an error with a recorded one. Where the exception is none
// of Kafka's only the fact and the phase bind.
func checkError(want *golden.Error, phase string, err error) string {
	if err == nil {
		return "no error, want " + want.Class + " in " + want.Phase
	}
	if want.Phase != phase {
		return "an error in phase " + phase + ", want it in " + want.Phase + ": " + err.Error()
	}
	if !want.Kafka {
		return ""
	}
	class := "DataException"
	var ce *codec.Error
	var se *data.SchemaError
	switch {
	case errors.As(err, &ce):
		class = ce.Class[strings.LastIndexByte(ce.Class, '.')+1:]
	case errors.As(err, &se):
		class = "SchemaBuilderException"
	}
	if class != want.Class {
		return "class " + class + ", want " + want.Class
	}
	// Java has several classes where we have one.
	same := strings.NewReplacer("java.util.LinkedHashMap", "java.util.HashMap", "java.nio.HeapByteBuffer", "[B").Replace
	if want.Message != nil && !want.MessageUnstable && same(*want.Message) != same(err.Error()) {
		return "message\n   " + err.Error() + "\nwant\n   " + *want.Message
	}
	return ""
}

func TestGoldenJsonConverter(t *testing.T) {
	waived := map[string]int{}
	passed := 0
	for _, v := range golden.Read[vector](t, "json_converter.jsonl") {
		config := map[string]string{}
		hasNull := false
		for k, p := range v.Config {
			if p == nil {
				hasNull = true
				continue
			}
			config[k] = *p
		}
		if hasNull && v.Error != nil && v.Error.Phase == "configure" {
			// A configuration of strings has no null.
			waived["a setting is null"]++
			continue
		}
		diff := check(t, v, config)
		switch {
		case diff == "":
			passed++
		case v.Quirk == "struct-default" && v.Error != nil:
			waived["a struct as default (quirk struct-default)"]++
		case v.FloatText && v.Error == nil:
			waived["text of a float depends on the JDK"]++
		default:
			t.Errorf("%s: %s", v.ID, diff)
		}
	}
	t.Logf("%d vectors pass; waived: %v", passed, waived)
}

func check(t *testing.T, v vector, config map[string]string) string {
	c, err := New(config, v.IsKey)
	if err != nil {
		if v.Error == nil {
			return "configuring: " + err.Error()
		}
		return checkError(v.Error, "configure", err)
	}
	if v.Direction == "fromConnectData" {
		s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
		if err != nil {
			return "decoding the vector: " + err.Error()
		}
		var want *golden.Bytes
		if v.Error == nil {
			if err := ejson.Unmarshal(v.Output, &want); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time from the cache
			got, err := c.FromConnect(v.Topic, s, val, nil)
			if v.Error != nil {
				return checkError(v.Error, "convert", err)
			}
			if err != nil {
				return err.Error()
			}
			if w := want.Decode(); !bytes.Equal(w, got) || (w == nil) != (got == nil) {
				return "got\n   " + string(got) + "\nwant\n   " + string(w)
			}
		}
		return ""
	}
	for range 2 {
		gs, gv, err := c.ToConnect(v.Topic, v.Input.Decode())
		if v.Error != nil {
			return checkError(v.Error, "convert", err)
		}
		if err != nil {
			return err.Error()
		}
		var want struct{ Schema, Value ejson.RawMessage }
		if err := ejson.Unmarshal(v.Output, &want); err != nil {
			t.Fatal(err)
		}
		ws, wv, err := golden.SchemaAndValue(want.Schema, want.Value)
		if err != nil {
			return "decoding the vector: " + err.Error()
		}
		if d := golden.Diff(ws, wv, gs, gv); d != "" {
			return d
		}
	}
	return ""
}
