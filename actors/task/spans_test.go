package task

import (
	"fmt"
	"testing"

	"github.com/troupeio/troupe/actors/pipeline"
)

// TestRemotes: of each trace context in a batch one record's headers are kept, up to
// the bound.
func TestRemotes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		trace func(i int) int
		want  int
	}{
		{"all of one trace", func(int) int { return 0 }, 1},
		{"two in turn", func(i int) int { return i % 2 }, 2},
		{"each its own", func(i int) int { return i }, maxRemotes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r remotes
			for i := range 100 {
				r.add([]pipeline.RawHeader{{Key: "app"}, {Key: "traceparent", Value: fmt.Append(nil, tt.trace(i))}}, 1)
			}
			if len(r.heads) != tt.want {
				t.Errorf("%d, want %d", len(r.heads), tt.want)
			}
		})
	}
}
