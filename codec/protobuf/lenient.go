package protobuf

import (
	"errors"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/options"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupeio/troupe/codec/data"
)

// mere are rules of the compiler that mean nothing on the wire, in its words.
// Confluent's registry and converter take schemas that break them, and write such:
// from enums of other formats, from names that differ in their case alone.
var mere = []string{
	"proto3 requires that first value of enum have numeric value zero",
	"first value of open enum",
	"default values are not allowed in proto3",
	"default value is not allowed on fields with implicit presence",
	"JSON name", // that two fields share
	"camel-case name",
}

// tolerated reports whether an error is about one of these rules.
func tolerated(err error) bool {
	for _, rule := range mere {
		if strings.Contains(err.Error(), rule) {
			return true
		}
	}
	return false
}

// lenient compiles files in which only these rules may be broken.
type lenient struct {
	files   map[string]string
	done    map[string]linker.File // nil while a file is compiled
	symbols *linker.Symbols
}

func compileLenient(files map[string]string) (protoreflect.FileDescriptor, error) {
	l := &lenient{files: files, done: map[string]linker.File{}, symbols: &linker.Symbols{}}
	return l.file(rootFile)
}

// tolerant passes over the errors of these rules. What it was given to then says
// [reporter.ErrInvalidSource].
func tolerant() *reporter.Handler {
	return reporter.NewHandler(reporter.NewReporter(func(err reporter.ErrorWithPos) error {
		if tolerated(err) {
			return nil
		}
		return err
	}, nil))
}

func (l *lenient) file(path string) (linker.File, error) {
	if f, ok := l.done[path]; ok {
		if f == nil {
			return nil, data.Errorf("%s imports itself", path)
		}
		return f, nil
	}
	text, ok := l.files[path]
	if !ok {
		f, err := link(path, protocompile.CompositeResolver{})
		if err != nil {
			return nil, err
		}
		l.done[path] = f
		return f, nil
	}
	l.done[path] = nil
	f, err := l.link(path, text)
	if err == nil {
		l.done[path] = f
	}
	return f, err
}

func (l *lenient) link(path, text string) (linker.File, error) {
	r, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	var deps linker.Files
	for _, name := range r.FileDescriptorProto().GetDependency() {
		dep, err := l.file(name)
		if err != nil {
			return nil, err
		}
		deps = append(deps, dep)
	}
	f, err := linker.Link(r, deps, l.symbols, reporter.NewHandler(nil))
	if err != nil {
		return nil, err
	}
	if _, err := options.InterpretOptions(f, reporter.NewHandler(nil)); err != nil {
		return nil, err
	}
	if err := f.ValidateOptions(tolerant(), l.symbols); err != nil && !errors.Is(err, reporter.ErrInvalidSource) {
		return nil, err
	}
	return f, nil
}

// parse reads a text and checks what can be checked without other files.
func parse(path, text string) (parser.Result, error) {
	ast, err := parser.Parse(path, strings.NewReader(text), reporter.NewHandler(nil))
	if err != nil {
		return nil, err
	}
	r, err := parser.ResultFromAST(ast, true, tolerant())
	if errors.Is(err, reporter.ErrInvalidSource) { // something is wrong, and all of it is tolerated
		return parser.ResultFromAST(ast, false, reporter.NewHandler(nil))
	}
	return r, err
}
