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
}

// classOf is the Java class of an error.
func classOf(err error) string {
	var ce *Error
	if errors.As(err, &ce) {
		return ce.Class
	}
	return DataException
}

func checkError(want *golden.Error, phase string, err error) string {
	return golden.DiffError(want, phase, classOf(err), err)
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
	golden.Replay(t, "primitive_converters.jsonl", func(t *testing.T, v vector) (ours, diff string) {
		config := map[string]string{}
		for k, p := range v.Config {
			if p != nil { // a null is as good as nothing: converters here have defaults
				config[k] = *p
			}
		}
		c, err := newConverter(v, config)
		if err != nil || v.Error != nil && v.Error.Phase == "configure" {
			return "", checkError(v.Error, "configure", err)
		}
		switch v.Direction {
		case "fromConnectHeader", "fromConnectData":
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
			return sameBytes(t, v, got, err)
		case "toConnectHeader":
			gs, gv, err := c.ToConnectHeader(v.Topic, v.Header, v.Input.Decode())
			return "", sameOutput(t, v, gs, gv, err)
		case "toConnectData":
			gs, gv, err := c.ToConnect(v.Topic, v.Input.Decode())
			return "", sameOutput(t, v, gs, gv, err)
		}
		return "", "unknown direction " + v.Direction
	})
}

func sameBytes(t *testing.T, v vector, got []byte, err error) (ours, diff string) {
	if err != nil || v.Error != nil {
		return "", checkError(v.Error, "convert", err)
	}
	var out *golden.Bytes
	if err := json.Unmarshal(v.Output, &out); err != nil {
		t.Fatal(err)
	}
	want := out.Decode()
	if bytes.Equal(want, got) && (want == nil) == (got == nil) {
		return string(got), ""
	}
	return string(got), "got " + string(got) + ", want " + string(want)
}

func sameOutput(t *testing.T, v vector, gs *data.Schema, gv data.Value, err error) string {
	if err != nil || v.Error != nil {
		return checkError(v.Error, "convert", err)
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
	c := SimpleHeaderConverter{}
	golden.Replay(t, "simple_header_converter.jsonl", func(t *testing.T, v vector) (ours, diff string) {
		if v.Direction == "toConnectHeader" {
			gs, gv, err := c.ToConnectHeader(v.Topic, v.Header, v.Input.Decode())
			return "", sameOutput(t, v, gs, gv, err)
		}
		s, val, err := golden.SchemaAndValue(v.Schema, v.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch v.Direction {
		case "fromConnectHeader":
			got, err := c.FromConnectHeader(v.Topic, v.Header, s, val)
			return sameBytes(t, v, got, err)
		case "convert":
			got, err := convertTo(v.Target, s, val)
			return "", sameValue(t, v, nil, got, "convert", err)
		}
		return "", "unknown direction " + v.Direction
	})
}

// sameValue compares a value alone; around is the schema that it is read with.
func sameValue(t *testing.T, v vector, around *data.Schema, got data.Value, phase string, err error) string {
	if err != nil || v.Error != nil {
		return checkError(v.Error, phase, err)
	}
	want, err := golden.Value(v.Output, around)
	if err != nil {
		t.Fatal(err)
	}
	return golden.Diff(nil, want, nil, got)
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
	type projection struct {
		vector
		Target json.RawMessage
	}
	golden.Replay(t, "schema_projector.jsonl", func(t *testing.T, v projection) (ours, diff string) {
		source, val, err := golden.SchemaAndValue(v.Source, v.Value)
		if err != nil {
			t.Fatal(err)
		}
		target, err := golden.Schema(v.Target)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Project(source, val, target)
		return "", sameValue(t, v.vector, target, got, "project", err)
	})
}
