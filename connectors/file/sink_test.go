package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

func record(v data.Value) data.Record { return data.Record{Sink: true, Value: v} }

func startSink(t testing.TB, path string) *SinkTask {
	t.Helper()
	s := &SinkTask{}
	if err := s.Start(t.Context(), faketask.New().Sink(), map[string]string{"file": path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	return s
}

func TestSinkWritesJavaText(t *testing.T) {
	st := data.NewStructSchema().Field("a", data.Int32Schema).MustBuild()
	path := filepath.Join(t.TempDir(), "out.txt")
	faketask.Append(t, path, "before\n")
	s := startSink(t, path)
	if err := s.Put(t.Context(), []data.Record{
		record(data.OfString("text é")),
		record(data.Null),
		record(data.OfMap(data.NewStringMap("some_key", data.OfInt64(0)))),
		record(data.OfStruct(data.NewStruct(st, []data.Value{data.OfInt32(1)}))),
		record(data.OfFloat64(1e10)),
		record(data.OfString("")),
	}); err != nil {
		t.Fatal(err)
	}
	want := "before\ntext é\nnull\n{some_key=0}\nStruct{a=1}\n1.0E10\n\n"
	if got := faketask.Content(t, path); got != want {
		t.Errorf("before any flush: got %q, want %q", got, want)
	}
	if err := s.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != want {
		t.Errorf("after an empty put: got %q", got)
	}
}

// Names are read as settings are: without the blanks around them.
func TestNamesWithBlanks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file.txt")
	s := startSink(t, "\t"+path+" ")
	if err := s.Put(t.Context(), []data.Record{record(data.OfString("a"))}); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != "a\n" {
		t.Errorf("the sink wrote %q", got)
	}
	source, tc := &SourceTask{}, faketask.New()
	defer tc.Close()
	if err := source.Start(t.Context(), tc, map[string]string{"file": " " + path, "topic": " t "}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Stop(t.Context()) })
	if source.path != path || source.template.Topic != "t" {
		t.Errorf("the source reads %q into %q", source.path, source.template.Topic)
	}
	c := &SourceConnector{}
	if !c.ExactlyOnceSupport(map[string]string{"file": path}) || c.ExactlyOnceSupport(map[string]string{"file": " "}) {
		t.Error("a blank name is standard input, which cannot be read twice")
	}
}

func TestSinkToStandardOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &SinkTask{stdout: f}
	if err := s.Start(t.Context(), faketask.New().Sink(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []data.Record{record(data.OfString("x"))}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("open\n"); err != nil {
		t.Errorf("Stop closed standard output: %v", err)
	}
	if got := faketask.Content(t, path); got != "x\nopen\n" {
		t.Errorf("got %q", got)
	}
}

func TestSinkNeedsItsDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "out.txt")
	err := (&SinkTask{}).Start(t.Context(), faketask.New().Sink(), map[string]string{"file": path})
	if err == nil || !strings.HasPrefix(err.Error(), "Couldn't find or create file '"+path+"' for FileStreamSinkTask") {
		t.Errorf("got %v", err)
	}
}
