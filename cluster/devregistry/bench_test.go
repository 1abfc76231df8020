package devregistry

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// many is one of the schemas that each read what the earlier ones wrote: a record of
// ten fields, and one with a default for each version.
func many(name string, version int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"record","name":%q,"fields":[`, name)
	for i := range 10 {
		fmt.Fprintf(&b, `{"name":"f%d","type":["null","string"],"default":null},`, i)
	}
	for i := range version {
		fmt.Fprintf(&b, `{"name":"v%d","type":"int","default":0},`, i)
	}
	return strings.TrimSuffix(b.String(), ",") + "]}"
}

// fill registers schemas through the handler, without a network.
func fill(tb testing.TB, h *Handler, n int, subject, schema func(i int) string) {
	tb.Helper()
	for i := range n {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/subjects/"+subject(i)+"/versions", strings.NewReader(schemaOf(schema(i)))))
		if w.Code != 200 {
			tb.Fatalf("schema %d: %d %s", i, w.Code, w.Body)
		}
	}
}

func benchmark(b *testing.B, n int, level string, subject, schema func(i int) string) {
	for range b.N {
		h, err := New(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("PUT", "/config", strings.NewReader(`{"compatibility":"`+level+`"}`)))
		fill(b, h, n, subject, schema)
	}
}

func BenchmarkSubjects(b *testing.B) {
	benchmark(b, 1000, "BACKWARD", func(i int) string { return fmt.Sprint("s", i) }, func(i int) string { return many(fmt.Sprint("R", i), 1) })
}

func BenchmarkVersions(b *testing.B) {
	for _, level := range []string{"BACKWARD", "BACKWARD_TRANSITIVE"} {
		b.Run(level, func(b *testing.B) {
			benchmark(b, 500, level, func(int) string { return "s" }, func(i int) string { return many("R", i) })
		})
	}
}

// TestCostOfRegistering: a schema costs as much in a large registry as in a small one,
// and the file grows by a line.
func TestCostOfRegistering(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	h, err := New(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	name := func(int) string { return fmt.Sprintf("s%06d", n) }
	register := func() {
		n++
		fill(t, h, 1, name, func(i int) string { return many(name(i), 1) })
	}
	grown := func() (int64, float64) {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		allocated := testing.AllocsPerRun(20, register)
		after, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return (after.Size() - before.Size()) / 21, allocated
	}
	register()
	size, allocated := grown()
	for n < 1500 {
		register()
	}
	laterSize, laterAllocated := grown()
	if laterSize > size+50 || laterAllocated > 1.2*allocated {
		t.Errorf("one of 20 schemas: %d bytes, %.0f allocations; of 1500: %d and %.0f", size, allocated, laterSize, laterAllocated)
	}
}
