package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

func m(pairs ...any) *data.MapValue { return data.NewStringMap(pairs...) }

func text(o *data.MapValue) string { return string(appendJSONMap(nil, o)) }

func po(p, o *data.MapValue) []connectors.PartitionOffset {
	return []connectors.PartitionOffset{{Partition: p, Offset: o}}
}

func TestOffsetKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		connector string
		partition *data.MapValue
		want      string
	}{
		"file":   {"life-source", m("filename", data.OfString("/tmp/a.txt")), `["life-source",{"filename":"/tmp/a.txt"}]`},
		"null":   {"c", nil, `["c",null]`},
		"empty":  {"c", m(), `["c",{}]`},
		"order":  {"c", m("b", data.OfInt32(1), "a", data.OfBool(true)), `["c",{"b":1,"a":true}]`},
		"escape": {"ü\"\\", m("\n\x01", data.OfString("</é>\u2028")), `["ü\"\\",{"\n\u0001":"</é>` + "\u2028" + `"}]`},
		"kinds": {"c", m("n", data.Null, "d", data.OfFloat64(1), "e", data.OfFloat64(1e10), "f", data.OfFloat32(1.1), "b", data.OfBytes([]byte{1, 2})),
			`["c",{"n":null,"d":1.0,"e":1.0E10,"f":1.1,"b":"AQI="}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got := offsetKey(tc.connector, tc.partition)
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			c, p, err := parseOffsetKey([]byte(got))
			if err != nil || c != tc.connector || offsetKey(c, p) != got {
				t.Errorf("read back as %q %v, %v", c, data.OfMap(p), err)
			}
		})
	}
	for _, bad := range []string{"", "null", "{}", "[]", `["c"]`, `["c",{},1]`, `[1,{}]`, `["c",[]]`, `["c",{}`, `["c" {}]`} {
		if _, _, err := parseOffsetKey([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a key", bad)
		}
	}
}

func TestOffsetChecks(t *testing.T) {
	big := data.OfDecimal(data.NewDecimal(5, 0))
	for name, tc := range map[string]struct {
		o    *data.MapValue
		want string
	}{
		"null":       {nil, ""},
		"primitives": {m("a", data.Null, "b", data.OfInt64(1), "c", data.OfBytes(nil)), ""},
		"array":      {m("position", data.OfArray(nil)), "Offsets may only contain primitive types as values, but field position contains ARRAY"},
		"map":        {m("f", data.OfMap(m())), "Offsets may only contain primitive types as values, but field f contains MAP"},
		"huge":       {m("position", big), "Offsets may only contain primitive types as values, but field position contains class java.math.BigInteger"},
		"date":       {m("d", data.OfDate(0)), "Offsets may only contain primitive types as values, but field d contains class java.util.Date"},
		"keys":       {data.NewMap([]data.MapEntry{{Key: data.OfInt32(1), Value: data.Null}}), "Offsets may only use String keys"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := checkOffset(tc.o); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// offsetStores are the stores that must answer alike.
func offsetStores(t *testing.T) map[string]Offsets {
	f, err := NewFileOffsetStore(JavaOffsetFile(filepath.Join(t.TempDir(), "offsets")), nil)
	must(t, err)
	return map[string]Offsets{"kafka": startStores(t, broker(t)).offsets, "file": f}
}

func TestOffsetStores(t *testing.T) {
	for name, s := range offsetStores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := deadline(t)
			a, b := m("f", data.OfString("a")), m("f", data.OfString("b"))
			must(t, s.Put(ctx, "c", append(po(a, m("position", data.OfInt32(1))), po(b, m("position", data.OfFloat64(2.5)))...)))
			must(t, s.Put(ctx, "other", po(a, m("position", data.OfInt64(9)))))
			must(t, s.Put(ctx, "c", po(nil, m("x", data.OfString("y")))))
			got, err := s.Get(ctx, "c", []*data.MapValue{b, m("f", data.OfString("none")), a, nil})
			must(t, err)
			if text(got[0]) != `{"position":2.5}` || got[1] != nil || text(got[2]) != `{"position":1}` || text(got[3]) != `{"x":"y"}` {
				t.Errorf("got %s %v %s %s", text(got[0]), got[1], text(got[2]), text(got[3]))
			}
			if v, _ := got[2].Get("position"); v.Kind() != data.KindInt64 {
				t.Errorf("an integer comes back as %s", v.Kind().JavaClass())
			}
			must(t, s.Put(ctx, "c", po(a, nil)))
			all, err := s.All(ctx, "c")
			must(t, err)
			if len(all) != 2 || text(all[0].Partition) != "null" && text(all[1].Partition) != "null" {
				t.Errorf("all: %v", all)
			}
			if one, err := (ConnectorOffsets{s, "other"}).Offset(ctx, a); err != nil || text(one) != `{"position":9}` {
				t.Errorf("of another connector: %s, %v", text(one), err)
			}
			if all, err := s.All(ctx, "nobody"); err != nil || len(all) != 0 {
				t.Errorf("of nobody: %v, %v", all, err)
			}
			var de *data.Error
			if err := s.Put(ctx, "c", po(a, m("x", data.OfArray(nil)))); !errors.As(err, &de) {
				t.Errorf("a list is stored: %v", err)
			}
			if _, err := s.Get(ctx, "c", []*data.MapValue{m("x", data.OfArray(nil))}); !errors.As(err, &de) {
				t.Errorf("a list is looked up: %v", err)
			}
			must(t, s.Put(ctx, "c", nil))
		})
	}
}

// TestOffsetsOfOtherWriters finds what another writer stored with white space or
// with another order of members, and writes to the same key.
func TestOffsetsOfOtherWriters(t *testing.T) {
	c := broker(t)
	s := startStores(t, c)
	ctx := deadline(t)
	for k, v := range map[string]string{
		` [ "c" , { "f" : "a" } ] `:                            `{ "position" : 5 }`,
		`["c",{"topic":"t","cluster":"x","partition":0}]`:      `{"offset":7}`,
		`["c",{"a":1,"a2":1}]`:                                 `{"huge":12345678901234567890}`,
		`"nonsense"`:                                           `{}`,
		`["c",{"f":"list"}]`:                                   `[1]`,
		`["c",{"f":"broken"}]`:                                 `{"x"`,
		"[\"c\",{\"f\":\"\\u00e9\\ud83d\\ude00\"}]":            `{"position":1e3}`,
		`["c",{"deep":` + strings.Repeat("[", 100_000) + `]}]`: `{}`,
	} {
		_, err := s.offsets.log.append(ctx, rec(k, v))
		must(t, err)
	}
	sorted := m("cluster", data.OfString("x"), "partition", data.OfInt32(0), "topic", data.OfString("t"))
	got, err := s.offsets.Get(ctx, "c", []*data.MapValue{m("f", data.OfString("a")), sorted, m("a", data.OfInt8(1), "a2", data.OfInt8(1)), m("f", data.OfString("list")), m("f", data.OfString("é😀"))})
	must(t, err)
	if text(got[0]) != `{"position":5}` || text(got[1]) != `{"offset":7}` || text(got[2]) != `{"huge":-6101065172474983726}` || got[3] != nil || text(got[4]) != `{"position":1000.0}` {
		t.Errorf("got %s %s %s %v %s", text(got[0]), text(got[1]), text(got[2]), got[3], text(got[4]))
	}
	recs, err := s.offsets.Records("c", po(sorted, m("offset", data.OfInt64(8))), kgo.RecordHeader{Key: "epoch", Value: []byte("1")})
	must(t, err)
	if string(recs[0].Key) != `["c",{"topic":"t","cluster":"x","partition":0}]` || string(recs[0].Value) != `{"offset":8}` || len(recs[0].Headers) != 1 {
		t.Errorf("would write %s=%s %v", recs[0].Key, recs[0].Value, recs[0].Headers)
	}
	must(t, s.offsets.Put(ctx, "c", po(sorted, nil)))
	got, err = s.offsets.Get(ctx, "c", []*data.MapValue{sorted})
	if err != nil || got[0] != nil {
		t.Errorf("after the removal: %v, %v", got, err)
	}
	// With nothing there, our own order counts.
	recs, err = s.offsets.Records("c", po(sorted, nil))
	must(t, err)
	if string(recs[0].Key) != `["c",{"cluster":"x","partition":0,"topic":"t"}]` || recs[0].Value != nil {
		t.Errorf("would write %s=%s", recs[0].Key, recs[0].Value)
	}
}

func TestObservedHeaders(t *testing.T) {
	c := broker(t)
	logs := NewLogs(Options{Client: clientOf(c)})
	s := NewOffsetStore(logs, OffsetTopic("o", 2, 1, nil))
	seen := make(chan string, 10)
	s.Observe(func(connector string, p *data.MapValue, r *kgo.Record) {
		seen <- fmt.Sprint(connector, text(p), string(r.Headers[0].Value))
	})
	defer logs.Stop()
	must(t, logs.Start(deadline(t)))
	must(t, s.Put(deadline(t), "c", po(m("f", data.OfInt8(1)), m()), kgo.RecordHeader{Key: "epoch", Value: []byte("17")}))
	if got := <-seen; got != `c{"f":1}17` {
		t.Errorf("saw %s", got)
	}
}

// badFile fails to save.
type badFile struct{ fail bool }

func (f *badFile) Load() (map[string][]byte, error) {
	return map[string][]byte{`[ "c", {"f":"a"}]`: []byte(`{"position":1}`), `["c",{"f":"gone"}]`: nil, "junk": []byte("x")}, nil
}

func (f *badFile) Save(m map[string][]byte) error {
	if f.fail {
		return errors.New("disk full")
	}
	for k := range m {
		if strings.Contains(k, " ") {
			return fmt.Errorf("wrote the key %q", k)
		}
	}
	return nil
}

func TestFileThatCannotBeWritten(t *testing.T) {
	f := &badFile{}
	s, err := NewFileOffsetStore(f, nil)
	must(t, err)
	ctx := context.Background()
	p := m("f", data.OfString("a"))
	must(t, s.Put(ctx, "c", po(p, m("position", data.OfInt64(2)))))
	f.fail = true
	if err := s.Put(ctx, "c", po(p, m("position", data.OfInt64(3)))); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
	got, err := s.Get(ctx, "c", []*data.MapValue{p})
	if err != nil || text(got[0]) != `{"position":2}` {
		t.Errorf("after a failed write: %s, %v", text(got[0]), err)
	}
}

func TestOffsetsFileSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s, err := NewFileOffsetStore(JavaOffsetFile(path), nil)
	must(t, err)
	p := m("f", data.OfString("a"))
	must(t, s.Put(context.Background(), "c", po(p, m("position", data.OfInt64(2)))))
	again, err := NewFileOffsetStore(JavaOffsetFile(path), nil)
	must(t, err)
	got, err := again.Get(context.Background(), "c", []*data.MapValue{p})
	if err != nil || text(got[0]) != `{"position":2}` {
		t.Errorf("got %s, %v", text(got[0]), err)
	}
}

func FuzzOffsetRecord(f *testing.F) {
	f.Add([]byte(`["c",{"b":1,"a":"x"}]`), []byte(`{"position":1.5}`))
	f.Add([]byte(` ["c",null] `), []byte(`{"n":12345678901234567890}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		tab := newOffsetTable(logger(nil))
		tab.apply(key, value, 0)
		c, p, err := parseOffsetKey(key)
		if err != nil {
			return
		}
		again := offsetKey(c, p)
		c2, p2, err := parseOffsetKey([]byte(again))
		if err != nil || c2 != c || offsetKey(c2, p2) != again {
			t.Errorf("%q became %q, then %q, %v", key, again, offsetKey(c2, p2), err)
		}
		if o, err := parseOffset(value); err == nil && checkOffset(p) == nil && value != nil {
			got, err := tab.get(c, []*data.MapValue{p})
			if err != nil || text(got[0]) != text(o) {
				t.Errorf("stored %s, got %s, %v", text(o), text(got[0]), err)
			}
		}
	})
}
