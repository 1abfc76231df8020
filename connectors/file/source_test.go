package file

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

type follower struct {
	*faketask.Follower
	tc *faketask.Context
}

func follow(t *testing.T, tc *faketask.Context, path string, settings ...string) *follower {
	t.Helper()
	return &follower{faketask.Follow(t, tc, &SourceTask{}, faketask.Config(append([]string{"file", path, "topic", "t"}, settings...)...)), tc}
}

// lines takes n lines.
func (f *follower) lines(n int) []string {
	return f.Take(n, func(r *data.Record) string { return r.Value.Str() })
}

func positions(recs []data.Record) []int64 {
	var out []int64
	for i := range recs {
		v, _ := recs[i].SourceOffset.Map().Get("position")
		out = append(out, v.Int())
	}
	return out
}

func TestLinesAndPositions(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
		pos  []int64
	}{
		"newline":           {"a\nbc\n", []string{"a", "bc"}, []int64{2, 5}},
		"no last newline":   {"a\nbc", []string{"a"}, []int64{2}},
		"crlf":              {"a\r\nb\r\n", []string{"a", "b"}, []int64{3, 6}},
		"cr":                {"a\rb\rc", []string{"a", "b"}, []int64{2, 4}},
		"pending cr":        {"a\nb\r", []string{"a"}, []int64{2}},
		"mixed":             {"a\rb\nc\r\n\rd\n", []string{"a", "b", "c", "", "d"}, []int64{2, 4, 7, 8, 10}},
		"empty lines":       {"\n\n\n", []string{"", "", ""}, []int64{1, 2, 3}},
		"cr cr lf":          {"a\r\r\nb\n", []string{"a", "", "b"}, []int64{2, 4, 6}},
		"bytes, not chars":  {"é1\n€\n", []string{"é1", "€"}, []int64{4, 8}},
		"not utf-8":         {"a\xffb\n\xe2\x82\nok\n", []string{"a\ufffdb", "\ufffd", "ok"}, []int64{4, 7, 10}},
		"nul and the rest":  {"\x00\t\x1b\n", []string{"\x00\t\x1b"}, []int64{4}},
		"byte order mark":   {"\ufeffa\n", []string{"\ufeffa"}, []int64{5}},
		"longer than chunk": {strings.Repeat("x", 3<<20) + "\ny\n", []string{strings.Repeat("x", 3<<20), "y"}, []int64{3<<20 + 1, 3<<20 + 3}},
	} {
		for _, batch := range []string{"2000", "1"} {
			t.Run(name+"/"+batch, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "in.txt")
				faketask.Append(t, path, tc.in)
				f := follow(t, faketask.New(), path, "batch.size", batch)
				if got := f.lines(len(tc.want)); !slices.Equal(got, tc.want) {
					t.Errorf("lines %.200q, want %.200q", got, tc.want)
				}
				if got := positions(f.All); !slices.Equal(got, tc.pos) {
					t.Errorf("positions %v, want %v", got, tc.pos)
				}
				f.None()
			})
		}
	}
}

func TestRecordIsKafkas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	faketask.Append(t, path, "alpha\n")
	f := follow(t, faketask.New(), path)
	before := time.Now().UnixMilli()
	f.lines(1)
	r := f.All[0]
	if r.Timestamp < before || r.Timestamp > time.Now().UnixMilli() {
		t.Errorf("timestamp %d is not now", r.Timestamp)
	}
	r.Timestamp = 5
	want := "SourceRecord{sourcePartition={filename=" + path + "}, sourceOffset={position=6}} " +
		"ConnectRecord{topic='t', kafkaPartition=null, key=null, keySchema=null, value=alpha, valueSchema=Schema{STRING}, timestamp=5, headers=ConnectHeaders(headers=)}"
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestManyLinesOverChunkBorders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	var b strings.Builder
	var want []string
	for i := range 60000 {
		s := fmt.Sprintf("%d é€ %s", i, strings.Repeat("z", i%97))
		want = append(want, s)
		b.WriteString(s + []string{"\n", "\r\n", "\r"}[i%3])
	}
	b.WriteString("\n") // decides the last '\r'
	faketask.Append(t, path, b.String())
	f := follow(t, faketask.New(), path)
	got := f.lines(len(want))
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
	last, _ := f.All[len(f.All)-1].SourceOffset.Map().Get("position")
	if size := int64(b.Len()); last.Int() != size {
		t.Errorf("the last position is %d, want %d", last.Int(), size)
	}
}

func TestLinesComeInPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	f := follow(t, faketask.New(), path)
	f.None()
	if n := f.tc.Logged("Couldn't find file " + path + " for FileStreamSourceTask, sleeping to wait for it to be created"); n != 1 {
		t.Errorf("warned %d times of the missing file, want once", n)
	}
	f.None()
	if n := f.tc.Logged("Couldn't find file"); n != 1 {
		t.Errorf("warned %d times of the missing file, want once", n)
	}
	var want []string
	for _, step := range []struct {
		add  string
		want []string
	}{
		{"al", nil},
		{"pha\nbe", []string{"alpha"}},
		{"ta\r", nil},
		{"\ngam", []string{"beta"}},
		{"ma\r", nil},
		{"delta\n", []string{"gamma", "delta"}},
		{"\xe2", nil},
		{"\x82\xac\n", []string{"€"}},
	} {
		faketask.Append(t, path, step.add)
		if step.want == nil {
			f.None()
			continue
		}
		if got := f.lines(len(step.want)); !slices.Equal(got, step.want) {
			t.Fatalf("after %q: got %q, want %q", step.add, got, step.want)
		}
		want = append(want, step.want...)
	}
	if len(f.All) != len(want) {
		t.Errorf("%d records, want %d", len(f.All), len(want))
	}
}

func TestNewLineEndsTheWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	faketask.Append(t, path, "a\n")
	f := follow(t, faketask.New(), path)
	f.lines(1)
	written := make(chan time.Time, 1)
	time.AfterFunc(150*time.Millisecond, func() {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, _ = file.WriteString("b\n")
			_ = file.Close()
		}
		written <- time.Now()
	})
	f.lines(1)
	if d := time.Since(<-written); d > 700*time.Millisecond {
		t.Errorf("the line took %v", d)
	}
}

func TestStopEndsTheWait(t *testing.T) {
	f := follow(t, faketask.New(), filepath.Join(t.TempDir(), "none"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	if recs, err := f.Task.Poll(ctx); recs != nil || err != nil {
		t.Errorf("got %v, %v", recs, err)
	}
	if d := time.Since(start); d > 500*time.Millisecond {
		t.Errorf("the poll took %v", d)
	}
}

func TestRestartGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	faketask.Append(t, path, "é1\nzwei\ndrei\n")
	tc := faketask.New()
	f := follow(t, tc, path, "batch.size", "1")
	f.lines(2)
	tc.Commit(f.All)
	faketask.Append(t, path, "vier\n")
	g := follow(t, tc, path)
	if got, want := g.lines(2), []string{"drei", "vier"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := positions(g.All), []int64{14, 19}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
}

func TestStoredPosition(t *testing.T) {
	for name, tc := range map[string]struct {
		stored data.Value
		want   []string // of "alpha\nbeta\n"
		warn   bool
		err    string
	}{
		"line start":  {data.OfInt64(6), []string{"beta"}, false, ""},
		"narrow":      {data.OfInt32(6), []string{"beta"}, false, ""},
		"inside line": {data.OfInt64(3), []string{"ha", "beta"}, false, ""},
		"the end":     {data.OfInt64(11), nil, false, ""},
		"past end":    {data.OfInt64(12), []string{"alpha", "beta"}, true, ""},
		"far past":    {data.OfInt64(1 << 60), []string{"alpha", "beta"}, true, ""},
		"null":        {data.Null, []string{"alpha", "beta"}, false, ""},
		"text":        {data.OfString("6"), nil, false, "Offset position is the incorrect type"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in.txt")
			faketask.Append(t, path, "alpha\nbeta\n")
			c := faketask.New()
			c.Store(data.NewStringMap("filename", data.OfString(path)), data.NewStringMap("position", tc.stored))
			if tc.err != "" {
				err := (&SourceTask{}).Start(t.Context(), c, map[string]string{"file": path, "topic": "t"})
				if err == nil || err.Error() != tc.err {
					t.Fatalf("got %v, want %s", err, tc.err)
				}
				return
			}
			f := follow(t, c, path)
			if got := f.lines(len(tc.want)); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			f.None()
			if warned := c.Logged("past the end of the file") > 0; warned != tc.warn {
				t.Errorf("warned: %v, want %v", warned, tc.warn)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	faketask.Append(t, path, "1\n2\n")
	tc := faketask.New()
	f := follow(t, tc, path)
	f.lines(2)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	f.None() // no new file yet: the old one goes on
	faketask.Append(t, path+".1", "3\n4")
	faketask.Append(t, path, "5\n6\n")
	if got, want := f.lines(4), []string{"3", "4", "5", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := positions(f.All), []int64{2, 4, 6, 0, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	if n := tc.Logged("The file was replaced"); n != 1 {
		t.Errorf("warned %d times, want once", n)
	}
	faketask.Append(t, path, "7\n")
	if got := f.lines(1); got[0] != "7" {
		t.Errorf("got %q, want 7", got)
	}
}

func TestTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	faketask.Append(t, path, "one\ntwo\nunfinished")
	tc := faketask.New()
	f := follow(t, tc, path)
	f.lines(2)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	faketask.Append(t, path, "neu\n")
	if got := f.lines(1); got[0] != "neu" {
		t.Errorf("got %q, want neu", got)
	}
	if got, want := positions(f.All), []int64{4, 8, 4}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	if n := tc.Logged("The file was truncated"); n != 1 {
		t.Errorf("warned %d times, want once", n)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		f := follow(t, faketask.New(), dir)
		_, err := f.Task.Poll(t.Context())
		if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "directory") || connectors.ClassOf(err) != connectors.Configuration {
			t.Errorf("got %v", err)
		}
	})
	t.Run("permission", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read everything")
		}
		path := filepath.Join(t.TempDir(), "in.txt")
		faketask.Append(t, path, "a\n")
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		f := follow(t, faketask.New(), path)
		if _, err := f.Task.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	tc := faketask.New()
	f := &follower{faketask.Follow(t, tc, &SourceTask{stdin: r}, faketask.Config("topic", "t")), tc}
	f.None()
	if _, err := w.WriteString("a\nb\nc"); err != nil {
		t.Fatal(err)
	}
	if got, want := f.lines(2), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := data.OfMap(f.All[1].SourcePartition).String() + data.OfMap(f.All[1].SourceOffset.Map()).String(); got != "{filename=null}{position=null}" {
		t.Errorf("got %s", got)
	}
	_ = w.Close()
	f.None()
}

func TestHugeLine(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	path := filepath.Join(t.TempDir(), "in.txt")
	const size = 100 << 20
	if err := os.WriteFile(path, append(bytes.Repeat([]byte{'x'}, size), "\nb\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	f := follow(t, faketask.New(), path)
	start := time.Now()
	got := f.lines(2)
	if len(got[0]) != size || got[1] != "b" {
		t.Errorf("lines of %d and %d bytes", len(got[0]), len(got[1]))
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("reading a line of 100 MB took %v", d)
	}
}

func TestAlterOffsets(t *testing.T) {
	file := data.NewStringMap("filename", data.OfString("f"))
	at := func(v data.Value) *data.MapValue { return data.NewStringMap("position", v) }
	for name, tc := range map[string]struct {
		partition, offset *data.MapValue
		want              string
	}{
		"good":            {file, at(data.OfInt64(6)), ""},
		"narrow":          {file, at(data.OfInt32(6)), ""},
		"zero":            {file, at(data.OfInt64(0)), ""},
		"huge":            {file, at(data.OfInt64(9007199254740993)), ""},
		"extra key":       {data.NewStringMap("filename", data.OfString("f"), "x", data.OfInt64(1)), at(data.OfInt64(1)), ""},
		"null offset":     {nil, nil, ""},
		"null partition":  {nil, at(data.OfInt64(1)), "Partition objects cannot be null"},
		"empty partition": {data.NewStringMap(), at(data.OfInt64(1)), "Partition objects should contain the key 'filename'"},
		"no position":     {file, data.NewStringMap("pos", data.OfInt64(1)), "Offset objects should either be null or contain the key 'position'"},
		"empty offset":    {file, data.NewStringMap(), "Offset objects should either be null or contain the key 'position'"},
		"text":            {file, at(data.OfString("5")), "The value for the 'position' key in the offset is expected to be a Long value"},
		"float":           {file, at(data.OfFloat64(1.5)), "The value for the 'position' key in the offset is expected to be a Long value"},
		"boolean":         {file, at(data.OfBool(true)), "The value for the 'position' key in the offset is expected to be a Long value"},
		"negative":        {file, at(data.OfInt64(-5)), "The value for the 'position' key in the offset should be a non-negative value"},
	} {
		t.Run(name, func(t *testing.T) {
			ok, err := (&SourceConnector{}).AlterOffsets(t.Context(), map[string]string{"file": "f"}, []connectors.PartitionOffset{{Partition: tc.partition, Offset: tc.offset}})
			switch {
			case tc.want == "" && (err != nil || !ok):
				t.Errorf("got %v, %v", ok, err)
			case tc.want != "" && (err == nil || err.Error() != tc.want):
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	_, err := (&SourceConnector{}).AlterOffsets(t.Context(), nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "Offsets cannot be modified if the 'file' configuration is unspecified.") {
		t.Errorf("without a file: %v", err)
	}
}

func TestConnectors(t *testing.T) {
	reg, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"FileStreamSource", "FileStreamSourceConnector", "org.apache.kafka.connect.file.FileStreamSourceConnector",
		"FileStreamSink", "FileStreamSinkConnector", "org.apache.kafka.connect.file.FileStreamSinkConnector"} {
		p, ok := reg.Connector(name)
		if !ok {
			t.Fatalf("%s is not there", name)
		}
		if p.Version != "4.1.0" || p.Def() == nil {
			t.Errorf("%s: version %s", name, p.Version)
		}
		c := p.NewConnector()
		config := map[string]string{"name": "c", "topic": "t", "file": "f"}
		if err := c.Start(t.Context(), faketask.New(), config); err != nil {
			t.Fatal(err)
		}
		got, err := c.TaskConfigs(t.Context(), 3)
		want := 1
		if p.Kind == connectors.SinkKind {
			want = 3
		}
		if err != nil || len(got) != want || got[0]["file"] != "f" || got[0]["name"] != "c" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	err = (&SourceConnector{}).Start(t.Context(), faketask.New(), map[string]string{"file": "f"})
	if err == nil || connectors.ClassOf(err) != connectors.Configuration || err.Error() != `Missing required configuration "topic" which has no default value.` {
		t.Errorf("without a topic: %v", err)
	}
	if (&SourceConnector{}).ExactlyOnceSupport(map[string]string{}) || !(&SourceConnector{}).ExactlyOnceSupport(map[string]string{"file": "f"}) {
		t.Error("exactly-once support must depend on the file")
	}
}

// sized notes the room that is asked for.
type sized struct {
	*faketask.Context
	asked []int
}

func (s *sized) Batch(n int) []data.Record {
	s.asked = append(s.asked, n)
	return s.Context.Batch(n)
}

// TestRoomForWhatThereIs: the slots of a full batch are hundreds of kilobytes, which a
// line now and then is no reason for.
func TestRoomForWhatThereIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	tc := &sized{Context: faketask.New()}
	task := &SourceTask{}
	if err := task.Start(t.Context(), tc, faketask.Config("file", path, "topic", "t", "batch.size", "100")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		add                string
		least, most, lines int
	}{
		{"a\n", 1, 1, 1},
		{"a\nb\rc\r\nd\n", 4, 8, 4},
		{strings.Repeat("x\n", 99) + "rest", 99, 99, 99},
		{strings.Repeat("y\n", 200), 100, 100, 100},
	} {
		faketask.Append(t, path, tt.add)
		tc.asked = nil
		recs, err := task.Poll(t.Context())
		if err != nil || len(recs) != tt.lines {
			t.Fatalf("%d lines of %.10q, %v", len(recs), tt.add, err)
		}
		if len(tc.asked) != 1 || tc.asked[0] < tt.least || tc.asked[0] > tt.most {
			t.Errorf("%.10q: room for %v asked for, want %d to %d", tt.add, tc.asked, tt.least, tt.most)
		}
	}
	if err := task.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
