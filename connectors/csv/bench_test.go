package csv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/connectors/file/faketask"
)

// One iteration is one row of 6 fields and 95 bytes.
func BenchmarkSource(b *testing.B) {
	const rows = 1 << 19
	row := "1234567,anvil,12.50,7,true," + strings.Repeat("x", 95-28) + "\n"
	path := filepath.Join(b.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte("id,name,price,quantity,flag,text\n"+strings.Repeat(row, rows)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	b.ResetTimer()
	var task *SourceTask
	for n, left := 0, 0; n < b.N; {
		if left == 0 {
			b.StopTimer()
			task, left = &SourceTask{}, rows
			if err := task.Start(b.Context(), faketask.New(), map[string]string{"file": path, "topic": "t",
				"columns": "id:int64,price:decimal(2),quantity:int32,flag:boolean"}); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		recs, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += len(recs)
		if left -= len(recs); left == 0 {
			_ = task.Stop(b.Context())
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
