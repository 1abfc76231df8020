package file

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors/file/faketask"
)

const lineLength = 95 // bytes, without the line end

// recycler hands out the same slab each time, as the worker does once the
// pipeline has given it back.
type recycler struct {
	*faketask.Context
	slab []data.Record
}

func (r *recycler) Batch(n int) []data.Record {
	if cap(r.slab) < n {
		r.slab = make([]data.Record, 0, n)
	}
	return r.slab[:0]
}

func benchmarkSource(b *testing.B, char, eol string) {
	const lines = 1 << 20
	line := strings.Repeat(char, lineLength/len(char)) + eol
	path := filepath.Join(b.TempDir(), "in.txt")
	if err := os.WriteFile(path, bytes.Repeat([]byte(line), lines), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	b.ResetTimer()
	var task *SourceTask
	for n := 0; n < b.N; {
		if n%lines == 0 {
			b.StopTimer()
			if task != nil {
				_ = task.Stop(b.Context())
			}
			task = &SourceTask{}
			if err := task.Start(b.Context(), &recycler{Context: faketask.New()}, map[string]string{"file": path, "topic": "t"}); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		recs, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += len(recs)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// One iteration is one record.
func BenchmarkSource(b *testing.B)        { benchmarkSource(b, "x", "\n") }
func BenchmarkSourceCRLF(b *testing.B)    { benchmarkSource(b, "x", "\r\n") }
func BenchmarkSourceUnicode(b *testing.B) { benchmarkSource(b, "é", "\n") }

func BenchmarkSink(b *testing.B) {
	path := filepath.Join(b.TempDir(), "out.txt")
	s := startSink(b, path)
	recs := make([]data.Record, 2000)
	for i := range recs {
		recs[i] = record(data.OfString(strings.Repeat("x", lineLength)))
	}
	b.SetBytes(lineLength + 1)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(recs) {
		if n%(1<<21) == 0 {
			if err := os.Truncate(path, 0); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Put(b.Context(), recs[:min(len(recs), b.N-n)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
