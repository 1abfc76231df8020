package main

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"
)

func TestWorstSecond(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// every makes a record each 100 ms for 5 s, but for those from one time to another.
	every := func(from, to time.Duration) []time.Time {
		var out []time.Time
		for d := time.Duration(0); d < 5*time.Second; d += 100 * time.Millisecond {
			if d < from || d >= to {
				out = append(out, begin.Add(d))
			}
		}
		return out
	}
	for _, tc := range []struct {
		name    string
		times   []time.Time
		from    time.Duration
		average float64
		want    float64
	}{
		{"all came", every(0, 0), 0, 10, 100},
		{"half a second without any", every(2*time.Second, 2500*time.Millisecond), 0, 10, 50},
		{"the pause was before", every(2*time.Second, 2500*time.Millisecond), 3 * time.Second, 10, 100},
		{"nothing for a second", every(2*time.Second, 3*time.Second), 0, 10, 0},
		{"nothing at all", nil, 0, 10, 0},
		{"nothing to compare with", every(0, 0), 0, 0, nan},
		{"shorter than a second", every(0, 0), 4500 * time.Millisecond, 10, nan},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := worstSecond(tc.times, begin.Add(tc.from), begin.Add(5*time.Second), tc.average)
			if got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestFlow holds that a line that comes again is not a record more, and that the
// streams of the dead do not count.
func TestFlow(t *testing.T) {
	lives, dead := &stream{connector: "a"}, &stream{connector: "b"}
	all := &streams{all: []*stream{lives, dead}}
	now := time.Now()
	for i := range int64(5) {
		lives.came(i, now)
		dead.came(i, now)
	}
	all.recordNow()
	lives.came(4, now)
	lives.came(5, now.Add(time.Second))
	dead.came(5, now)
	if got := all.flow([]*stream{dead}); len(got) != 1 || !got[0].Equal(now.Add(time.Second)) {
		t.Errorf("got %v", got)
	}
}

func TestStays(t *testing.T) {
	text := func(state string, epochOfB int) string {
		return fmt.Sprintf(`{"leader":"n1","units":[{"connector":"a","node":"n1","epoch":3,"state":"assigned"},
			{"connector":"a","task":0,"node":"n2","epoch":4,"state":"assigned"},
			{"connector":"b","task":0,"node":"n3","epoch":%d,"state":%q}]}`, epochOfB, state)
	}
	read := func(text string) (map[unitKey]stay, bool) {
		var v clusterView
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v.stays()
	}
	before, calm := read(text("assigned", 5))
	if !calm || len(before) != 3 || before[unitKey{"a", -1}] != (stay{"n1", 3}) {
		t.Errorf("got %v, calm %v", before, calm)
	}
	after, calm := read(text("revoking", 9))
	if calm {
		t.Error("a unit that is to move counts as calm")
	}
	if got := changed(before, after, "n3"); got != 0 {
		t.Errorf("%d units of others changed, want none: the unit was the dead node's", got)
	}
	if got := changed(before, after, "n2"); got != 1 {
		t.Errorf("%d units of others changed, want 1", got)
	}
	if got := changed(before, nil, "n3"); got != 2 {
		t.Errorf("%d units of others changed, want the 2 that are gone", got)
	}
}

func TestQuantile(t *testing.T) {
	times := []float64{3, 1, 2, 4}
	for share, want := range map[float64]float64{0.5: 2, 0.75: 3, 0.99: 4, 1: 4, 0: 1} {
		if got := quantile(times, share); got != want {
			t.Errorf("quantile(%v) = %v, want %v", share, got, want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("nothing has a median of %v", got)
	}
}
