package json

import (
	"bytes"
	ejson "encoding/json"
	"errors"
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
}

func checkError(want *golden.Error, phase string, err error) string {
	class := codec.DataException
	var ce *codec.Error
	var se *data.SchemaError
	switch {
	case errors.As(err, &ce):
		class = ce.Class
	case errors.As(err, &se):
		class = "SchemaBuilderException"
	}
	return golden.DiffError(want, phase, class, err)
}

func TestGoldenJsonConverter(t *testing.T) {
	golden.Replay(t, "json_converter.jsonl", func(t *testing.T, v vector) (ours, diff string) {
		config := map[string]string{}
		for k, p := range v.Config {
			if p != nil {
				config[k] = *p
			}
		}
		return "", check(t, v, config)
	})
}

func check(t *testing.T, v vector, config map[string]string) string {
	c, err := New(config, v.IsKey)
	if err != nil || v.Error != nil && v.Error.Phase == "configure" {
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
			if err != nil || v.Error != nil {
				return checkError(v.Error, "convert", err)
			}
			if w := want.Decode(); !bytes.Equal(w, got) || (w == nil) != (got == nil) {
				return "got\n   " + string(got) + "\nwant\n   " + string(w)
			}
		}
		return ""
	}
	for range 2 {
		gs, gv, err := c.ToConnect(v.Topic, v.Input.Decode())
		if err != nil || v.Error != nil {
			return checkError(v.Error, "convert", err)
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
