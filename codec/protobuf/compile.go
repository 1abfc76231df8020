package protobuf

import (
	"context"
	"errors"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

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
			files[name] = `syntax = "proto3"; ` + t
		}
	}
	var f protoreflect.FileDescriptor
	f, err := link(rootFile, &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)})
	if err != nil && tolerated(err) {
		f, err = compileLenient(files)
	}
	if err != nil {
		return nil, data.Errorf("Invalid protobuf schema definition: %v", err)
	}
	return f, nil
}

// link compiles a file with those that it imports.
func link(path string, r protocompile.Resolver) (linker.File, error) {
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(r), MaxParallelism: 1}
	out, err := c.Compile(context.Background(), path)
	if err != nil {
		return nil, err
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
