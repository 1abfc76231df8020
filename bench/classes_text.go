package main

import (
	"fmt"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/json"
)

// textForm reads the cases' records, and writes results in lines that both arms
// write alike: JsonConverter's text, with schemas.
type textForm struct{ *json.Converter }

func newText() (*textForm, error) {
	c, err := json.New(map[string]string{json.SchemasEnableSetting: "true"}, false)
	return &textForm{c}, err
}

func (t *textForm) line(what string, s *data.Schema, v data.Value) (string, error) {
	b, err := t.FromConnect("", s, v, nil)
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", what, err)
	}
	if b == nil {
		return what + " null", nil
	}
	return what + " " + string(b), nil
}

func (t *textForm) record(r *data.Record) ([]string, error) {
	out := []string{"topic " + r.Topic, fmt.Sprint("timestamp ", r.Timestamp)}
	parts := []data.Header{{Key: "key", Schema: r.KeySchema, Value: r.Key}, {Key: "value", Schema: r.ValueSchema, Value: r.Value}}
	for h := range r.Headers.All() {
		h.Key = "header " + h.Key
		parts = append(parts, h)
	}
	for _, p := range parts {
		line, err := t.line(p.Key, p.Schema, p.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	return out, nil
}

// record is the input of a case, as a source's task would have it.
func (r *classRecord) record(text *textForm) (data.Record, error) {
	s, v, err := text.ToConnect("", r.Value)
	if err != nil {
		return data.Record{}, err
	}
	out := data.NewSourceRecord(data.NewStringMap("file", data.OfString("orders")), data.LongOffset("position", 1), r.Topic, s, v)
	out.Partition, out.Timestamp = 0, r.Timestamp
	if out.KeySchema, out.Key, err = text.ToConnect("", r.Key); err != nil {
		return data.Record{}, err
	}
	var headers []data.Header
	for _, h := range r.Headers {
		s, v, err := text.ToConnect("", h.Value)
		if err != nil {
			return data.Record{}, err
		}
		headers = append(headers, data.Header{Key: h.Key, Schema: s, Value: v})
	}
	out.Headers = data.NewHeaders(headers...)
	return out, nil
}
