package transforms

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/internal/golden"
)

// vector is a line of smt.jsonl.
type vector struct {
	ID, Class     string
	Config        map[string]*string
	Input, Output json.RawMessage
	Result        *bool
	Error         *golden.Error
}

// instance finds the class of a vector and configures it. A config of a vector
// can hold nulls, so this goes by way of the specs and not of the plugins.
func instance(class string, config map[string]*string) (t connectors.Transformation, p connectors.Predicate, known bool, err error) {
	simple := class[strings.LastIndexByte(class, '.')+1:]
	name, suffix, _ := strings.Cut(simple, "$")
	for _, s := range specs() {
		if s.name != name || s.sides != (suffix != "") {
			continue
		}
		if s.predicate != nil {
			p, err = s.newPredicate(config)
			return nil, p, true, err
		}
		side := valueSide
		if suffix == "Key" {
			side = keySide
		}
		t, err = s.newTransformation(side, config)
		return t, nil, true, err
	}
	return nil, nil, false, nil
}

func decode(t *testing.T, raw json.RawMessage) *data.Record {
	t.Helper()
	r, err := golden.Record(raw)
	if err != nil {
		t.Fatal(err)
	}
	if r != nil && !r.Sink {
		// Where the recorded source records came from, as their text form says.
		r.SourcePartition = data.NewStringMap("filename", data.OfString("f.txt"))
		r.SourceOffset = data.LongOffset("position", 1)
	}
	return r
}

func TestGoldenTransforms(t *testing.T) {
	golden.Replay(t, "smt.jsonl", func(t *testing.T, v vector) (ours, diff string) { return "", replay(t, &v) })
}

// TestGoldenTransformsAgain replays the vectors by transforms that have seen the
// records of the vectors before, which share their class and settings: what they
// remember of schemas and topics changes nothing.
func TestGoldenTransformsAgain(t *testing.T) {
	type made struct {
		tr   connectors.Transformation
		pred connectors.Predicate
	}
	known, shared := make(map[string]made), 0
	for _, v := range golden.Read[vector](t, "smt.jsonl") {
		config, err := json.Marshal(v.Config)
		if err != nil {
			t.Fatal(err)
		}
		fresh := made{}
		if fresh.tr, fresh.pred, _, err = instance(v.Class, v.Config); err != nil || v.Error != nil && v.Error.Phase == "configure" {
			continue
		}
		key := v.Class + string(config)
		old, there := known[key]
		if there {
			shared++
		} else {
			old = fresh
			known[key] = old
			fresh.tr, fresh.pred, _, _ = instance(v.Class, v.Config)
		}
		for range 2 {
			if want, got := again(t, &v, fresh.tr, fresh.pred), again(t, &v, old.tr, old.pred); got != want {
				t.Errorf("%s: %q, and %q by one that was used", v.ID, want, got)
			}
		}
	}
	if shared == 0 {
		t.Error("no two vectors have the same settings")
	}
}

// again is replay's answer for a transform or predicate that is configured.
func again(t *testing.T, v *vector, tr connectors.Transformation, pred connectors.Predicate) string {
	input := decode(t, v.Input)
	if input == nil {
		return ""
	}
	return judge(t, v, input, tr, pred)
}

// replay does what was recorded, and says how it differs.
func replay(t *testing.T, v *vector) string {
	tr, pred, known, err := instance(v.Class, v.Config)
	if !known {
		return "there is no class " + v.Class
	}
	if err != nil || v.Error != nil && v.Error.Phase == "configure" {
		return golden.DiffError(v.Error, "configure", connectors.JavaClass(err), err)
	}
	input := decode(t, v.Input)
	if input == nil {
		return golden.DiffError(v.Error, "", "", nil)
	}
	return judge(t, v, input, tr, pred)
}

// judge applies what was recorded, and says how the result differs.
func judge(t *testing.T, v *vector, input *data.Record, tr connectors.Transformation, pred connectors.Predicate) string {
	var err error
	got := *input
	keep, result := true, false
	if pred != nil {
		result, err = pred.Test(&got)
	} else {
		keep, err = tr.Apply(&got)
	}
	// The slot was copied; what it refers to was not.
	if d := golden.DiffRecord(decode(t, v.Input), input); d != "" {
		t.Errorf("the input was written to: %s", d)
	}
	if err != nil || v.Error != nil {
		return golden.DiffError(v.Error, "apply", connectors.JavaClass(err), err)
	}
	if pred != nil {
		if v.Result == nil || result != *v.Result {
			return fmt.Sprintf("got %v", result)
		}
		return ""
	}
	want := decode(t, v.Output)
	switch {
	case want == nil && keep:
		return "kept, want it dropped"
	case want == nil:
		return ""
	case !keep:
		return "dropped"
	case got.OriginalTopic != input.OriginalTopic || got.OriginalOffset != input.OriginalOffset:
		return "the original coordinates changed"
	}
	return golden.DiffRecord(want, &got)
}
