package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/internal/golden"
)

type vector struct {
	ID, Class, Direction, Topic, Header, Target string
	Config                                      map[string]*string
	IsKey                                       bool
	Schema, Value                               json.RawMessage
	Source                                      json.RawMessage
	Input                                       *golden.Bytes
	Output                                      json.RawMessage
	Error                                       *golden.Error
	FloatText                                   bool `json:"float_text_depends_on_jdk"`
}

// waivers counts what is not compared, by the reason.
type waivers struct {
	passed int
	why    map[string]int
}

func (w *waivers) log(t *testing.T) { t.Logf("%d vectors pass; waived: %v", w.passed, w.why) }

// cutHash cuts the identity of a byte array out of a message, and maps Java's two
// classes of maps, and of bytes, to the one that we have.
func cutHash(s string) string {
	s = strings.NewReplacer("java.util.LinkedHashMap", "java.util.HashMap", "java.nio.HeapByteBuffer", "[B").Replace(s)
	if i := strings.Index(s, "[B@"); i >= 0 {
		j := i + len("[B@")
		if k := strings.IndexAny(s[j:], " ,]}"); k >= 0 {
			return s[:j] + cutHash(s[j+k:])
		}
		return s[:j]
	}
	return s
}

func checkError(want *golden.Error, phase string, err error) string {
	if err == nil {
		return "no error, want " + want.Class + " in " + want.Phase
	}
	if want.Phase != phase {
		return "an error in phase " + phase + ", want it in " + want.Phase + ": " + err.Error()
	}
	if !want.Kafka {
		return "" // the JDK's: only the fact and the phase bind
	}
	class := "DataException"
	var ce *Error
	if errors.As(err, &ce) {
		class = ce.Class[strings.LastIndexByte(ce.Class, '.')+1:]
	}
	if class != want.Class {
		return "class " + class + ", want " + want.Class
	}
	if want.Message != nil && cutHash(*want.Message) != cutHash(err.Error()) {
		return "message\n   " + err.Error() + "\nwant\n   " + *want.Message
	}
	return ""
}

type both interface {
	Converter
	HeaderConverter
}

func newConverter(v vector, config map[string]string) (both, error) {
	header := strings.HasSuffix(v.Direction, "Header")
	numbers := map[string]NumberConverter{"ShortConverter": ShortConverter, "IntegerConverter": IntegerConverter,
		"LongConverter": LongConverter, "FloatConverter": FloatConverter, "DoubleConverter": DoubleConverter}
	switch name := v.Class[strings.LastIndexByte(v.Class, '.')+1:]; name {
	case "StringConverter":
		if header {
			return NewStringHeaderConverter(config)
		}
		return NewStringConverter(config, v.IsKey)
	case "ByteArrayConverter":
		return ByteArrayConverter{}, nil
	case "BooleanConverter":
		if header {
			if err := Settings(config).CheckType(); err != nil {
				return nil, err
			}
		}
		return BooleanConverter{}, nil
	default:
		c, ok := numbers[name]
		if !ok {
			return nil, errors.New("no converter " + name)
		}
		if header {
			if err := Settings(config).CheckType(); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
}

func TestGoldenPrimitiveConverters(t *testing.T) {
	w := waivers{why: map[string]int{}}
	for _, v := range golden.Read[vector](t, "primitive_converters.jsonl") {
		config := map[string]string{}
		for k, p := range v.Config {
			if p != nil { // a null is as good as nothing: converters here have defaults
				config[k] = *p
			}
		}
		diff := checkConverter(t, v, config, &w)
		if diff == "" {
			w.passed++
		} else if diff != waived {
			t.Errorf("%s: %s", v.ID, diff)
		}
	}
	w.log(t)
}

const waived = "waived"

func checkConverter(t *testing.T, v vector, config map[string]string, w *waivers) string {
	c, err := newConverter(v, config)
	if err != nil {
		if v.Error == nil {
			return err.Error()
		}
		return checkError(v.Error, "configure", err)
	}
	if strings.HasPrefix(v.Direction, "from") {
		s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		if v.Direction == "fromConnectHeader" {
			got, err = c.FromConnectHeader(v.Topic, v.Header, s, val)
		} else {
			got, err = c.FromConnect(v.Topic, s, val, nil)
		}
		if v.Error != nil {
			return checkError(v.Error, "convert", err)
		}
		if err != nil {
			return err.Error()
		}
		return sameBytes(t, v, got, w)
	}
	var gs *data.Schema
	var gv data.Value
	if v.Direction == "toConnectHeader" {
		gs, gv, err = c.ToConnectHeader(v.Topic, v.Header, v.Input.Decode())
	} else {
		gs, gv, err = c.ToConnect(v.Topic, v.Input.Decode())
	}
	return sameOutput(t, v, gs, gv, err)
}

func sameBytes(t *testing.T, v vector, got []byte, w *waivers) string {
	var out *golden.Bytes
	if err := json.Unmarshal(v.Output, &out); err != nil {
		t.Fatal(err)
	}
	want := out.Decode()
	if bytes.Equal(want, got) && (want == nil) == (got == nil) {
		return ""
	}
	text := string(want)
	switch {
	case cutHash(text) == cutHash(string(got)) && strings.Contains(text, "[B@"):
		w.why["the identity of a byte array"]++
		return waived
	case strings.HasPrefix(text, "java.nio.HeapByteBuffer["):
		w.why["the text of a ByteBuffer, which is bytes here"]++
		return waived
	case v.FloatText:
		w.why["text of a float depends on the JDK"]++
		return waived
	}
	return "got " + string(got) + ", want " + text
}

func sameOutput(t *testing.T, v vector, gs *data.Schema, gv data.Value, err error) string {
	if v.Error != nil {
		return checkError(v.Error, "convert", err)
	}
	if err != nil {
		return err.Error()
	}
	var want struct{ Schema, Value json.RawMessage }
	if err := json.Unmarshal(v.Output, &want); err != nil {
		t.Fatal(err)
	}
	ws, wv, err := golden.SchemaAndValue(want.Schema, want.Value)
	if err != nil {
		t.Fatal(err)
	}
	return golden.Diff(ws, wv, gs, gv)
}

func TestGoldenSimpleHeaderConverter(t *testing.T) {
	w := waivers{why: map[string]int{}}
	c := SimpleHeaderConverter{}
	for _, v := range golden.Read[vector](t, "simple_header_converter.jsonl") {
		var diff string
		switch v.Direction {
		case "toConnectHeader":
			gs, gv, err := c.ToConnectHeader(v.Topic, v.Header, v.Input.Decode())
			diff = sameOutput(t, v, gs, gv, err)
		case "fromConnectHeader":
			s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.FromConnectHeader(v.Topic, v.Header, s, val)
			if v.Error != nil {
				diff = checkError(v.Error, "convert", err)
			} else if err != nil {
				diff = err.Error()
			} else {
				diff = sameBytes(t, v, got, &w)
			}
		case "convert":
			s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := convertTo(v.Target, s, val)
			if v.Error != nil {
				diff = checkError(v.Error, "convert", err)
			} else if err != nil {
				diff = err.Error()
			} else {
				want, err := golden.Value(v.Output, nil)
				if err != nil {
					t.Fatal(err)
				}
				diff = golden.Diff(nil, want, nil, got)
			}
		default:
			diff = "unknown direction " + v.Direction
		}
		if diff == "" {
			w.passed++
		} else if diff != waived {
			t.Errorf("%s: %s", v.ID, diff)
		}
	}
	w.log(t)
}

func convertTo(target string, s *data.Schema, v data.Value) (data.Value, error) {
	f, ok := map[string]func(*data.Schema, data.Value) (data.Value, error){
		"BOOLEAN": ConvertToBoolean, "INT8": ConvertToByte, "INT16": ConvertToShort, "INT32": ConvertToInteger,
		"INT64": ConvertToLong, "FLOAT32": ConvertToFloat, "FLOAT64": ConvertToDouble, "STRING": ConvertToString,
		"ARRAY": ConvertToList, "MAP": ConvertToMap, "STRUCT": ConvertToStruct,
		"Date": ConvertToDate, "Time": ConvertToTime, "Timestamp": ConvertToTimestamp,
	}[target]
	if !ok {
		return ConvertToDecimal(s, v, 2) // Decimal-2
	}
	return f(s, v)
}

func TestGoldenSchemaProjector(t *testing.T) {
	w := waivers{why: map[string]int{}}
	for _, v := range golden.Read[struct {
		vector
		Target json.RawMessage
	}](t, "schema_projector.jsonl") {
		source, val, err := golden.SchemaAndValue(v.Source, v.Value)
		if err != nil {
			t.Fatal(v.ID, err)
		}
		target, err := golden.Schema(v.Target)
		if err != nil {
			t.Fatal(v.ID, err)
		}
		got, err := Project(source, val, target)
		var diff string
		if v.Error != nil {
			diff = checkError(v.Error, "project", err)
		} else if err != nil {
			diff = err.Error()
		} else {
			want, err := golden.Value(v.Output, target)
			if err != nil {
				t.Fatal(v.ID, err)
			}
			diff = golden.Diff(nil, want, nil, got)
		}
		if diff == "" {
			w.passed++
		} else {
			t.Errorf("%s: %s", v.ID, diff)
		}
	}
	w.log(t)
}
