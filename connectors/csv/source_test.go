package csv

import (
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
	t *testing.T
}

func follow(t *testing.T, tc *faketask.Context, settings ...string) *follower {
	t.Helper()
	return &follower{faketask.Follow(t, tc, &SourceTask{}, faketask.Config(append([]string{"topic", "t"}, settings...)...)), t}
}

// rows takes n rows, each as its value and position.
func (f *follower) rows(n int) []string {
	f.t.Helper()
	return f.Take(n, func(r *data.Record) string {
		if err := data.ValidateValue(r.ValueSchema, r.Value); err != nil {
			f.t.Error(err)
		}
		pos, _ := r.SourceOffset.Map().Get("position")
		return strings.TrimPrefix(r.Value.String(), "Struct") + "@" + pos.String()
	})
}

func (f *follower) want(rows ...string) {
	f.t.Helper()
	if got := f.rows(len(rows)); !slices.Equal(got, rows) {
		f.t.Errorf("got  %q\nwant %q", got, rows)
	}
}

func TestSourceReadsRows(t *testing.T) {
	for name, tc := range map[string]struct {
		in       string
		settings []string
		want     []string
	}{
		"header, strings": {"id,name\n1,a\n2,\n3,\"\"\n", nil, []string{"{id=1,name=a}@12", "{id=2}@15", "{id=3,name=}@20"}},
		"types":           {"id,name\n1,a\n", []string{"columns", "id:int64"}, []string{"{id=1,name=a}@12"}},
		"no header":       {"1;1.50\n", []string{"header", "false", "delimiter", ";", "columns", "id:int32,price:decimal(2)"}, []string{"{id=1,price=1.50}@7"}},
		"order by header": {"name,id\na,1\n", []string{"columns", "id:int64,name"}, []string{"{name=a,id=1}@12"}},
		"row over lines":  {"id,name\n1,\"a\nb\"\n", nil, []string{"{id=1,name=a\nb}@16"}},
		"blank lines":     {"id,name\n\n1,a\n\n", nil, []string{"{id=1,name=a}@13"}},
		"byte order mark": {"\ufeffid,name\n1,a\n", nil, []string{"{id=1,name=a}@15"}},
		"one column":      {"id\n1\n\n", nil, []string{"{id=1}@5", "{}@6"}},
		"skip": {"id,name\n1,a\nx,b\n2,c,d\n\"3\"x,e\n4,f\n", []string{"columns", "id:int64", "on.error", "skip"},
			[]string{"{id=1,name=a}@12", "{id=4,name=f}@33"}},
		"skip what does not end": {"id,name\n1,\"" + strings.Repeat("x\n", 100) + "\n7,y\n", []string{"on.error", "skip", "row.max.bytes", "100"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "in.csv")
			faketask.Append(t, path, tc.in)
			f := follow(t, faketask.New(), append([]string{"file", path}, tc.settings...)...)
			f.want(tc.want...)
			if name == "skip what does not end" {
				f.want("{id=7,name=y}@216")
			}
			f.None()
		})
	}
}

func TestSourceNamesTheBadRow(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want string
	}{
		"type":        {"id,name\n1,a\nx,b\n", `reading the row at byte 12 of FILE: column 1 (id): "x" is no int64`},
		"fields":      {"id,name\n1,a\n2\n", "reading the row at byte 12 of FILE: it has 1 fields and the file 2 columns"},
		"quote":       {"id,name\n1,a\n2,\"x\"y\n", "reading the row at byte 12 of FILE: column 2 (name): there is text after the closing quote"},
		"no end":      {"id,name\n1,a\n2,\"" + strings.Repeat("y", 200), "reading the row at byte 12 of FILE: it has more than 100 bytes and no end; is a quote not closed?"},
		"no column":   {"nr,name\n1,a\n", `reading the header of FILE: column "id" of the setting "columns" is not in it`},
		"same twice":  {"id,id\n1,a\n", "reading the header of FILE: Cannot create field because of field name duplication id"},
		"no name":     {"id,\n1,a\n", "reading the header of FILE: column 2 has no name"},
		"bad heading": {"id,\"x\"y\n", "reading the header of FILE: column 2: there is text after the closing quote"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in.csv")
			faketask.Append(t, path, tc.in)
			f := follow(t, faketask.New(), "file", path, "columns", "id:int64", "row.max.bytes", "100")
			if strings.HasPrefix(tc.want, "reading the row at byte 12") {
				f.want("{id=1,name=a}@12") // what is good goes out first
			}
			for range 2 { // and again, as long as nobody mends it
				_, err := f.Task.Poll(t.Context())
				want := strings.ReplaceAll(tc.want, "FILE", path)
				if err == nil || err.Error() != want || connectors.ClassOf(err) != connectors.Poison {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
		})
	}
}

func TestSourceStory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	tc := faketask.New()
	f := follow(t, tc, "file", path)
	f.None()
	if tc.Logged("waiting for it") != 1 {
		t.Error("the missing file is not warned of once")
	}
	faketask.Append(t, path, "id,na")
	f.None()
	faketask.Append(t, path, "me\n1,\"a\n")
	f.None()
	faketask.Append(t, path, "b\"\n2")
	f.want("{id=1,name=a\nb}@16")
	f.None()
	tc.Commit(f.All)

	// 1. A restart goes on behind the stored row, with the columns of the header.
	faketask.Append(t, path, "2,c\n")
	f = follow(t, tc, "file", path)
	f.want("{id=22,name=c}@21")

	// 2. The file is renamed away; its last row, without a line end, is taken.
	faketask.Append(t, path, "3,d")
	f.None()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	faketask.Append(t, path, "id,name,more\n4,e,x\n")
	f.want("{id=3,name=d}@0", "{id=4,name=e,more=x}@19")

	// 3. The file is truncated; what was unfinished is gone.
	faketask.Append(t, path, "5,\"unfin")
	f.None()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	faketask.Append(t, path, "nr\n6\n")
	f.want("{nr=6}@5")
	for _, text := range []string{"The file was replaced", "The file was truncated"} {
		if tc.Logged(text) != 1 {
			t.Errorf("%q is not logged once", text)
		}
	}

	// 4. The stored position lies past the end of what is there now.
	tc.Store(f.All[0].SourcePartition, data.NewStringMap("position", data.OfInt64(1000)))
	f = follow(t, tc, "file", path)
	f.want("{nr=6}@5")
	if tc.Logged("past the end") != 1 {
		t.Error("the position past the end is not warned of")
	}
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		faketask.Append(t, filepath.Join(dir, fmt.Sprintf("f%d.csv", i)), fmt.Sprintf("n\n%d\n%d\n", i, 10+i))
	}
	faketask.Append(t, filepath.Join(dir, "other.txt"), "n\n99\n")
	faketask.Append(t, filepath.Join(dir, ".hidden.csv"), "n\n99\n")
	tc := faketask.New()
	defer tc.Close()
	c := &SourceConnector{}
	config := map[string]string{"dir": dir, "topic": "t", "scan.interval.ms": "5"}
	if err := c.Start(t.Context(), tc, config); err != nil {
		t.Fatal(err)
	}
	tasks, err := c.TaskConfigs(t.Context(), 2)
	if err != nil || len(tasks) != 2 {
		t.Fatalf("%v, %v", tasks, err)
	}
	var got []string
	for i, n := range []int{6, 4} {
		f := &follower{faketask.Follow(t, tc, &SourceTask{}, tasks[i]), t}
		got = append(got, f.rows(n)...)
	}
	if len(got) != 10 {
		t.Errorf("got %q", got)
	}
	if tc.Requests() != 0 {
		t.Error("a reconfiguration was asked for without a new file")
	}
	faketask.Append(t, filepath.Join(dir, "f9.csv"), "n\n9\n")
	for deadline := time.Now().Add(10 * time.Second); tc.Requests() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the new file was not found")
		}
		time.Sleep(5 * time.Millisecond) // between looks at the condition
	}
	if tasks, err = c.TaskConfigs(t.Context(), 100); err != nil || len(tasks) != 6 {
		t.Errorf("%d tasks, %v", len(tasks), err)
	}
	empty := &SourceConnector{}
	if err := empty.Start(t.Context(), tc, map[string]string{"dir": t.TempDir(), "topic": "t"}); err != nil {
		t.Fatal(err)
	}
	if tasks, err = empty.TaskConfigs(t.Context(), 2); err != nil || len(tasks) != 0 {
		t.Errorf("an empty directory gives %v, %v", tasks, err)
	}
}

func TestFilesTakeTurns(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	faketask.Append(t, a, "n\n"+strings.Repeat("1\n", 10))
	faketask.Append(t, b, "n\n2\n")
	f := follow(t, faketask.New(), "dir", dir, "batch.size", "2", "task.files", fmt.Sprintf("[%q,%q]", a, b))
	if got := f.rows(4); got[2] != "{n=2}@4" {
		t.Errorf("the second file had to wait: %q", got)
	}
}

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		config map[string]string
		want   string
	}{
		"neither":         {map[string]string{}, "Exactly one"},
		"both":            {map[string]string{"file": "f", "dir": "d"}, "Exactly one"},
		"no columns":      {map[string]string{"file": "f", "header": "false"}, "columns"},
		"bad delimiter":   {map[string]string{"file": "f", "delimiter": "ab"}, "delimiter"},
		"letter":          {map[string]string{"file": "f", "delimiter": "x"}, "delimiter"},
		"same characters": {map[string]string{"file": "f", "delimiter": ";", "quote": ";"}, "differ"},
		"bad columns":     {map[string]string{"file": "f", "columns": "a:what"}, "unknown type"},
		"bad pattern":     {map[string]string{"dir": "d", "pattern": "["}, "pattern"},
		"bad on.error":    {map[string]string{"file": "f", "on.error": "maybe"}, "on.error"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.config["topic"] = "t"
			err := (&SourceConnector{}).Start(t.Context(), faketask.New(), tc.config)
			if err == nil || connectors.ClassOf(err) != connectors.Configuration || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	reg, err := connectors.NewRegistry(Plugins())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"CsvSource", "CsvSinkConnector", "troupe.csv.CsvSinkConnector"} {
		if p, ok := reg.Connector(name); !ok || p.Def() == nil {
			t.Errorf("%s is not there", name)
		}
	}
	if m, _ := (&SourceConnector{}).Validate(t.Context(), map[string]string{}); len(m["file"]) != 1 {
		t.Errorf("got %v", m)
	}
}

func TestAlterOffsets(t *testing.T) {
	part := data.NewStringMap("filename", data.OfString("f"))
	for name, tc := range map[string]struct {
		p, o *data.MapValue
		ok   bool
	}{
		"good":     {part, data.NewStringMap("position", data.OfInt64(3)), true},
		"removal":  {part, nil, true},
		"negative": {part, data.NewStringMap("position", data.OfInt64(-3)), false},
		"text":     {part, data.NewStringMap("position", data.OfString("3")), false},
		"no file":  {data.NewStringMap(), data.NewStringMap("position", data.OfInt64(3)), false},
		"null":     {nil, data.NewStringMap("position", data.OfInt64(3)), false},
	} {
		if ok, err := (&SourceConnector{}).AlterOffsets(t.Context(), nil, []connectors.PartitionOffset{{Partition: tc.p, Offset: tc.o}}); ok != tc.ok || (err == nil) != tc.ok {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}
