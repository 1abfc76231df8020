package protobuf

import (
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"pgregory.net/rapid"
)

// TestPython has Python's protobuf read records and write them anew.
func TestPython(t *testing.T) {
	if err := exec.Command("python3", "-c", "from google.protobuf import message_factory").Run(); err != nil {
		t.Skip("python3 with the package protobuf is not there")
	}
	m := &Mapping{OptionalNullables: true}
	type sample struct {
		lines     []string
		dec       *decoder
		text      string
		recursive bool
	}
	gen := rapid.Custom(func(t *rapid.T) sample {
		s, _, err := asRead(m, (&drawn{}).message(t, 2).MustBuild())
		if err != nil {
			t.Fatal(err)
		}
		enc, dec, _, md, err := plans(m, s)
		if err != nil {
			t.Fatal(err)
		}
		v := value(t, m, s, false, 0)
		out, err := enc.append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		files, err := proto.Marshal(fileSet(md.ParentFile()))
		if err != nil {
			t.Fatal(err)
		}
		return sample{[]string{hex.EncodeToString(files), string(md.FullName()), hex.EncodeToString(out)}, dec, v.String(), s.Recursive()}
	})
	var samples []sample
	var in []string
	recursive := 0
	for i := range 100 {
		s := gen.Example(i)
		if s.recursive {
			recursive++
		}
		samples = append(samples, s)
		in = append(in, s.lines...)
	}
	if recursive < 10 {
		t.Errorf("only %d of the schemas contain themselves", recursive)
	}
	script := `import sys
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
lines=sys.stdin.read().split("\n")
for i in range(0,len(lines)-1,3):
    pool=descriptor_pool.DescriptorPool()
    for f in descriptor_pb2.FileDescriptorSet.FromString(bytes.fromhex(lines[i])).file: pool.Add(f)
    cls=message_factory.GetMessageClass(pool.FindMessageTypeByName(lines[i+1]))
    raw=bytes.fromhex(lines[i+2])
    out=cls.FromString(raw).SerializeToString()
    if len(out)!=len(raw): sys.exit("python writes %s as %s" % (raw.hex(),out.hex()))
    print(out.hex())
`
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = strings.NewReader(strings.Join(in, "\n") + "\n")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(samples) {
		t.Fatalf("%d records came back, want %d", len(lines), len(samples))
	}
	for i, s := range samples {
		raw, err := hex.DecodeString(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.dec.read(raw)
		if err != nil || v.String() != s.text {
			t.Errorf("Python's %x is %s, %v; want %s", raw, v, err, s.text)
		}
	}
}

// fileSet holds a file behind those that it imports.
func fileSet(f protoreflect.FileDescriptor) *descriptorpb.FileDescriptorSet {
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(f)
	return set
}
