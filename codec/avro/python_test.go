package avro

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupeio/troupe/codec/avro/schema"
	"github.com/troupeio/troupe/codec/data"
)

// TestFastavro has Python's fastavro parse the schemas that we register, and read our
// records and write them again: the same bytes, which we read as what they were.
func TestFastavro(t *testing.T) {
	if err := exec.Command("python3", "-c", "import fastavro").Run(); err != nil {
		t.Skip("needs python3 with fastavro")
	}
	cmd := exec.Command("python3", "testdata/crosscheck.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	answers := bufio.NewReader(out)
	drawn, compared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		o := &options{metadata: true, flattenSingle: true, enhanced: rapid.Bool().Draw(t, "enhanced")}
		// Python has one kind of whole number, so it cannot tell int from long in a union.
		s := (&names{strict: true}).anySchema(t, 3)
		v := anyValue(t, s)
		drawn++
		if v.IsNull() {
			return
		}
		a, b, err := encodeWith(o, s, v)
		if err != nil {
			t.Fatal(err)
		}
		stripped := bare(a, map[*schema.Schema]*schema.Schema{})
		line, _ := json.Marshal(map[string]string{"full": mustPrint(a), "bare": mustPrint(stripped), "hex": hex.EncodeToString(b)})
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		text, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Hex, Error string }
		if err := json.Unmarshal(text, &answer); err != nil || answer.Error != "" {
			t.Fatalf("fastavro: %s%v for %s", answer.Error, err, line)
		}
		if answer.Hex != hex.EncodeToString(b) {
			t.Fatalf("fastavro wrote %s for %s", answer.Hex, line)
		}
		back, err := hex.DecodeString(answer.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := decodeWith(o, mustPrint(a), back); err != nil || !sameValue(got, v) {
			t.Fatalf("read %v, %v for %s", got, err, line)
		}
		compared++
	})
	if 2*compared < drawn {
		t.Errorf("only %d of %d records were compared", compared, drawn)
	}
}

// TestFastavroUnions is the same for unions whose branches Python can tell apart.
func TestFastavroUnions(t *testing.T) {
	if err := exec.Command("python3", "-c", "import fastavro").Run(); err != nil {
		t.Skip("needs python3 with fastavro")
	}
	in := data.NewStructSchema().Name("a.B").Field("n", data.Int32Schema).Optional().MustBuild()
	s := data.NewStructSchema().Name(unionName).Optional().Field("int", data.OptionalInt32Schema).Field("string", data.OptionalStringSchema).
		Field("B", in).Field("boolean", data.OptionalBooleanSchema).MustBuild()
	list := data.NewArraySchema(s).MustBuild()
	one := func(at int, v data.Value) data.Value {
		vals := make([]data.Value, 4)
		vals[at] = v
		return data.OfStruct(data.NewStruct(s, vals))
	}
	v := data.OfArray([]data.Value{one(0, data.OfInt32(5)), one(1, data.OfString("x")), data.Null,
		one(2, data.OfStruct(data.NewStruct(in, []data.Value{data.OfInt32(6)}))), one(3, data.OfBool(true))})
	a, b, err := encodeWith(defaults(), list, v)
	if err != nil {
		t.Fatal(err)
	}
	line, _ := json.Marshal(map[string]string{"full": mustText(t, a), "bare": mustText(t, a), "hex": hex.EncodeToString(b)})
	cmd := exec.Command("python3", "testdata/crosscheck.py")
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	answer, err := cmd.Output()
	if err != nil || string(answer) != `{"hex": "`+hex.EncodeToString(b)+"\"}\n" {
		t.Errorf("fastavro answered %s, %v for %s", answer, err, line)
	}
}
