package protobuf

import (
	"context"
	"errors"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// Files that schemas import and that no registry needs to hold.
const (
	metaFile     = "confluent/meta.proto"
	wrappersFile = "google/protobuf/wrappers.proto"
)

// standardFile says where the messages of the logical types stand.
var standardFile = map[string]string{
	decimalType: "confluent/type/decimal.proto", dateType: "google/type/date.proto",
	timeType: "google/type/timeofday.proto", timestampType: "google/protobuf/timestamp.proto",
}

// standard are the files that the compiler doesn't come with: the interfaces of
// Confluent's and Google's types, by name and number.
var standard = map[string]string{
	metaFile: `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; repeated Rule rules = 4; }
message Rule { string name = 1; string doc = 2; string expr = 3; string sql = 4; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
	standardFile[decimalType]: `syntax = "proto3"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
	standardFile[dateType]:    `syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
	standardFile[timeType]:    `syntax = "proto3"; package google.type; message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }`,
}

// rootFile is the name under which a schema itself is compiled.
const rootFile = "schema.proto"

// compile compiles a schema with those that it imports.
func compile(text string, refs map[string]string) (protoreflect.FileDescriptor, error) {
	files := map[string]string{rootFile: withMeta(text)}
	for name, t := range refs {
		if _, ok := files[name]; ok {
			return nil, data.Errorf("Invalid protobuf schema definition: %s cannot be the name of a reference", name)
		}
		files[name] = withMeta(t)
	}
	for name, t := range standard {
		if _, ok := files[name]; !ok {
			files[name] = t
		}
	}
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}), MaxParallelism: 1}
	out, err := c.Compile(context.Background(), rootFile)
	if err != nil {
		return nil, data.Errorf("Invalid protobuf schema definition: %v", err)
	}
	return out[0], nil
}

// withMeta adds the import that the options of Confluent need, which its own
// texts may lack.
func withMeta(text string) string {
	if !strings.Contains(text, "(confluent.") || strings.Contains(text, metaFile) {
		return text
	}
	at := strings.IndexByte(text, ';') // the end of the syntax or of any first statement
	return text[:at+1] + " import \"" + metaFile + "\";" + text[at+1:]
}

// messageAt finds a message by its path of indexes.
func messageAt(f protoreflect.FileDescriptor, path []int) (protoreflect.MessageDescriptor, error) {
	all := f.Messages()
	var md protoreflect.MessageDescriptor
	for _, i := range path {
		if i < 0 || i >= all.Len() {
			return nil, errors.New("no message has the indexes of the record")
		}
		md = all.Get(i)
		all = md.Messages()
	}
	if md == nil {
		return nil, errors.New("the record has no message indexes")
	}
	return md, nil
}

// pathOf is the inverse of messageAt, for the full name of a message.
func pathOf(f protoreflect.FileDescriptor, name string) ([]int, bool) {
	rest := name
	if f.Package() != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(name, string(f.Package())+"."); !ok {
			return nil, false
		}
	}
	var path []int
	all := f.Messages()
	for _, part := range strings.Split(rest, ".") {
		md := all.ByName(protoreflect.Name(part))
		if md == nil {
			return nil, false
		}
		path = append(path, md.Index())
		all = md.Messages()
	}
	return path, true
}
