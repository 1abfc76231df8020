package transforms

import (
	"encoding/json"
	"fmt"
	"regexp"
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

// pathsIgnored reports whether a vector gives a path to a class that has
// field.syntax.version here and not in Kafka Connect 4.1, which then takes the
// path for a name.
func pathsIgnored(v *vector) bool {
	version := v.Config[syntaxVersion]
	if version == nil || !strings.EqualFold(*version, "V2") || strings.Contains(v.Class, ".ExtractField$") {
		return false
	}
	for _, key := range []string{"field", "fields", "spec", "exclude", "include", "renames",
		"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"} {
		if p := v.Config[key]; p != nil && strings.ContainsAny(*p, ".`[") {
			return true
		}
	}
	return false
}

// waiver names the rule by which a vector is not compared, "" when it is. There
// are these three rules and no others.
func waiver(v *vector, known bool, input *data.Record) string {
	switch {
	case !known:
		return "the class does not exist: " + v.Class
	case pathsIgnored(v):
		return "a path where Kafka Connect has names alone and ignores field.syntax.version"
	case input != nil && emptyTopic(v.Input):
		return "the input's topic is the empty string, which a record of ours cannot tell from null and Kafka does not allow"
	}
	return ""
}

func emptyTopic(raw json.RawMessage) bool {
	var j struct{ Topic *string }
	return json.Unmarshal(raw, &j) == nil && j.Topic != nil && *j.Topic == ""
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
	waived, compared := make(map[string]int), 0
	for _, v := range golden.Read[vector](t, "smt.jsonl") {
		t.Run(v.ID, func(t *testing.T) {
			tr, pred, known, err := instance(v.Class, v.Config)
			input := decode(t, v.Input)
			if rule := waiver(&v, known, input); rule != "" {
				waived[rule]++
				t.Skip(rule)
			}
			compared++
			if err != nil || (v.Error != nil && v.Error.Phase == "configure") {
				compareError(t, v.Error, "configure", err)
				return
			}
			if input == nil {
				if v.Error != nil {
					t.Fatalf("want %+v, got none", v.Error)
				}
				return
			}
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
				compareError(t, v.Error, "apply", err)
				return
			}
			if pred != nil {
				if v.Result == nil || result != *v.Result {
					t.Errorf("got %v", result)
				}
				return
			}
			want := decode(t, v.Output)
			if want == nil {
				if keep {
					t.Error("kept, want it dropped")
				}
				return
			}
			if !keep {
				t.Fatal("dropped")
			}
			if d := golden.DiffRecord(want, &got); d != "" {
				t.Error(d)
			}
			if got.OriginalTopic != input.OriginalTopic || got.OriginalOffset != input.OriginalOffset {
				t.Error("the original coordinates changed")
			}
		})
	}
	for rule, n := range waived {
		t.Logf("waived %d: %s", n, rule)
	}
	t.Logf("compared %d", compared)
}

var identity = regexp.MustCompile(`@[0-9a-f]+`)

// compareError compares class and message by the rules of the vectors' README:
// of an exception of the Java runtime only the fact binds, but for the one that
// ExtractField words itself; after "Invalid regex: " and after
// "java.lang.IllegalArgumentException: " the text is the JDK's.
func compareError(t *testing.T, want *golden.Error, phase string, err error) {
	t.Helper()
	if want == nil || err == nil || want.Phase != phase {
		t.Fatalf("want %s, got %s: %v", describe(want), phase, err)
	}
	msg := ""
	if want.Message != nil {
		msg = *want.Message
	}
	if !want.Kafka && !strings.HasPrefix(msg, "Unknown field: ") {
		return
	}
	class := connectors.JavaClass(err)
	if class = class[strings.LastIndexByte(class, '.')+1:]; class != want.Class {
		t.Errorf("want class %s, got %s", want.Class, class)
	}
	got := err.Error()
	if want.MessageUnstable {
		got = identity.ReplaceAllString(got, "@<hash>")
	}
	for _, cut := range []string{"Invalid regex: ", "java.lang.IllegalArgumentException: "} {
		if i := strings.Index(msg, cut); i >= 0 && strings.HasPrefix(got, msg[:i]+cut) {
			return
		}
	}
	// An NIO buffer is a byte array here.
	msg = strings.ReplaceAll(msg, "java.nio.HeapByteBuffer", "[B")
	if got != msg {
		t.Errorf("want %q, got %q", msg, got)
	}
}

func describe(e *golden.Error) string {
	if e == nil {
		return "no error"
	}
	msg := ""
	if e.Message != nil {
		msg = *e.Message
	}
	return fmt.Sprintf("%s: %s %s", e.Phase, e.Class, msg)
}
