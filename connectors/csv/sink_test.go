package csv

import (
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

func start(t *testing.T, tc *faketask.Context, path string, settings ...string) (*SinkTask, error) {
	t.Helper()
	s := &SinkTask{}
	err := s.Start(t.Context(), tc.Sink(), faketask.Config(append([]string{"file", path}, settings...)...))
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	return s, err
}

var (
	narrow = data.NewStructSchema().Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).MustBuild()
	wide   = data.NewStructSchema().Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).Field("more", data.OptionalStringSchema).MustBuild()
	less   = data.NewStructSchema().Field("name", data.OptionalStringSchema).MustBuild()
)

func rec(s *data.Schema, vals ...data.Value) data.Record {
	return data.Record{Sink: true, Topic: "t", Offset: 7, ValueSchema: s, Value: data.OfStruct(data.NewStruct(s, vals))}
}

func row(id int64, name string) data.Record {
	return rec(narrow, data.OfInt64(id), data.OfString(name))
}

func TestSinkWritesRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	tc := faketask.New()
	s, err := start(t, tc, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != "" {
		t.Errorf("an empty put wrote %q", got)
	}
	if err := s.Put(t.Context(), []data.Record{row(1, "a,b"), row(2, `say "x"`), row(3, "two\nlines"), row(4, ""), rec(narrow, data.OfInt64(5), data.Null), rec(less, data.OfString("é"))}); err != nil {
		t.Fatal(err)
	}
	want := "id,name\n1,\"a,b\"\n2,\"say \"\"x\"\"\"\n3,\"two\nlines\"\n4,\"\"\n5,\n,é\n"
	if got := faketask.Content(t, path); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	// A restart does not repeat the header, and takes the columns from it.
	if s, err = start(t, tc, path); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []data.Record{rec(less, data.OfString("z"))}); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != want+",z\n" {
		t.Errorf("after a restart: %q", got)
	}

	// A field without a column is an error that names record and field.
	err = s.Put(t.Context(), []data.Record{row(8, "ok"), rec(wide, data.OfInt64(9), data.Null, data.OfString("m"))})
	if connectors.ClassOf(err) != connectors.Poison || !strings.Contains(err.Error(), `t-0@7`) || !strings.Contains(err.Error(), `"more"`) {
		t.Errorf("got %v", err)
	}
	if got := faketask.Content(t, path); got != want+",z\n" {
		t.Errorf("a put that failed wrote %q", got)
	}
}

func TestSinkTypesReadBack(t *testing.T) {
	const columns = "i:int32,f:float64,b:boolean,p:decimal(2),d:date,t:time,ts:timestamp,s"
	cols, err := parseColumns(columns)
	if err != nil {
		t.Fatal(err)
	}
	b := data.NewStructSchema()
	for _, c := range cols {
		b.Field(c.name, c.schema)
	}
	schema := b.MustBuild()
	want := rec(schema, data.OfInt32(-1), data.OfFloat64(1e-9), data.OfBool(true), data.OfDecimal(&data.Decimal{Unscaled: big.NewInt(-150), Scale: 2}),
		data.OfDate(1699920000000), data.OfDate(80000500), data.OfDate(1700000000123), data.OfString(" x "))
	path := filepath.Join(t.TempDir(), "out.csv")
	s, err := start(t, faketask.New(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []data.Record{want}); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != "i,f,b,p,d,t,ts,s\n-1,1.0E-9,true,-1.50,2023-11-14,22:13:20.500,2023-11-14T22:13:20.123Z, x \n" {
		t.Errorf("got %q", got)
	}
	f := follow(t, faketask.New(), "file", path, "columns", columns)
	f.rows(1)
	if got := f.All[0].Value; !got.Equal(want.Value) {
		t.Errorf("got %s, want %s", got, want.Value)
	}
}

func TestSinkColumns(t *testing.T) {
	m := data.Record{Sink: true, Value: data.OfMap(data.NewStringMap("b", data.OfInt64(1), "a", data.OfBool(true)))}
	for name, tc := range map[string]struct {
		settings []string
		before   string
		in       data.Record
		want     string
		err      string
	}{
		"map with columns":       {[]string{"columns", "a,b"}, "", m, "a,b\ntrue,1\n", ""},
		"map with a header":      {nil, "b,a\n", m, "b,a\n1,true\n", ""},
		"map without":            {nil, "", m, "", "a map has no order"},
		"map, key without":       {nil, "b\n", m, "", `the key "a" has no column`},
		"struct, some columns":   {[]string{"columns", "name"}, "", row(1, "x"), "name\nx\n", ""},
		"struct, more columns":   {[]string{"columns", "x,name"}, "", row(1, "y"), "x,name\n,y\n", ""},
		"no header":              {[]string{"header", "false"}, "0,z\n", row(1, "x"), "0,z\n1,x\n", ""},
		"tabs":                   {[]string{"delimiter", `\t`}, "", row(1, "x,y"), "id\tname\n1\tx,y\n", ""},
		"no quotes":              {[]string{"quote", ""}, "", row(1, "x,y"), "", "needs quotes"},
		"string value":           {nil, "", data.Record{Value: data.OfString("x")}, "", "java.lang.String"},
		"null value":             {nil, "", data.Record{}, "", "the value is null"},
		"nested":                 {nil, "", rec(data.NewStructSchema().Field("l", data.NewArraySchema(data.Int8Schema).MustBuild()).MustBuild(), data.OfArray(nil)), "", `column "l": arrays`},
		"byte order mark before": {nil, "\ufeffname,id\n", row(1, "x"), "\ufeffname,id\nx,1\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.csv")
			faketask.Append(t, path, tc.before)
			s, err := start(t, faketask.New(), path, tc.settings...)
			if err == nil {
				err = s.Put(t.Context(), []data.Record{tc.in})
			}
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || connectors.ClassOf(err) != connectors.Poison {
					t.Errorf("got %v, want %s", err, tc.err)
				}
				return
			}
			if got := faketask.Content(t, path); err != nil || got != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "out.csv")
	faketask.Append(t, path, "a,b\n")
	if _, err := start(t, faketask.New(), path, "columns", "b,a"); connectors.ClassOf(err) != connectors.Configuration {
		t.Errorf("another header: %v", err)
	}
}

func TestSinkReportsBadRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	tc := faketask.New()
	tc.Reporting = true
	s, err := start(t, tc, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []data.Record{{Value: data.OfString("bad")}, row(1, "x"), {}, row(2, "y")}); err != nil {
		t.Fatal(err)
	}
	if got := faketask.Content(t, path); got != "id,name\n1,x\n2,y\n" || len(tc.Errant()) != 2 {
		t.Errorf("got %q, %d reported", got, len(tc.Errant()))
	}
}

func TestSinkRepairsTheLastRow(t *testing.T) {
	for name, tc := range map[string]struct{ before, want, torn string }{
		"whole":            {"id,name\n1,a\n", "id,name\n1,a\n2,x\n", ""},
		"half a row":       {"id,name\n1,a\n1", "id,name\n1,a\n2,x\n", "1\n"},
		"inside quotes":    {"id,name\n1,a\n1,\"b\n", "id,name\n1,a\n2,x\n", "1,\"b\n\n"},
		"half a header":    {"id,na", "id,name\n2,x\n", "id,na\n"},
		"quotes in fields": {"id,name\n1,5\" pipe\n", "id,name\n1,5\" pipe\n2,x\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.csv")
			faketask.Append(t, path, tc.before)
			c := faketask.New()
			s, err := start(t, c, path)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Put(t.Context(), []data.Record{row(2, "x")}); err != nil {
				t.Fatal(err)
			}
			if got := faketask.Content(t, path); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			kept, _ := os.ReadFile(path + ".torn")
			if string(kept) != tc.torn || c.Logged("was not complete") > 0 != (tc.torn != "") {
				t.Errorf("kept %q, want %q", kept, tc.torn)
			}
		})
	}
}

func TestSinkHasTheFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	first, err := start(t, faketask.New(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start(t, faketask.New(), path); !connectors.IsRetriable(err) {
		t.Errorf("a second writer: %v", err)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := start(t, faketask.New(), path); err != nil {
		t.Errorf("after the first stopped: %v", err)
	}
	c := &SinkConnector{}
	if err := c.Start(t.Context(), faketask.New(), map[string]string{"file": path}); err != nil {
		t.Fatal(err)
	}
	if tasks, err := c.TaskConfigs(t.Context(), 5); err != nil || len(tasks) != 1 {
		t.Errorf("%d tasks, %v; want one", len(tasks), err)
	}
}
