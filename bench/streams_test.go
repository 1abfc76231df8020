package main

import (
	"fmt"
	"testing"
	"time"
)

func TestLineNumber(t *testing.T) {
	whole := fmt.Sprintf("2 %s", line(nil, 17, lineLength))
	for _, tc := range []struct {
		name, in  string
		partition int32
		n         int64
		ok        bool
	}{
		{"whole", whole, 2, 17, true},
		{"torn at the end", whole[:len(whole)-1], 0, 0, false},
		{"torn at the start", whole[1:], 0, 0, false},
		{"two in one", whole + whole, 0, 0, false},
		{"empty", "", 0, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, n, ok := lineNumber([]byte(tc.in))
			if ok != tc.ok || ok && (p != tc.partition || n != tc.n) {
				t.Errorf("got %d, %d, %v", p, n, ok)
			}
		})
	}
}

// TestNew holds that what was written before the mark, and comes again after it, is
// not taken for new, and that a lost line is noticed.
func TestNew(t *testing.T) {
	s := &stream{connector: "c", source: true}
	all := &streams{all: []*stream{s}}
	now := time.Now()
	for i := range int64(10) {
		s.written = i + 1
		s.came(i, now)
	}
	all.markNow()
	s.written = 13
	s.came(9, now.Add(time.Second))
	if _, missing, _ := all.look(all.all, now); len(missing) != 1 {
		t.Error("an old line counts as new")
	}
	s.came(10, now.Add(2*time.Second))
	took, missing, _ := all.look(all.all, now)
	if len(missing) != 0 || took[0] != 2*time.Second {
		t.Errorf("new after %v, %d missing", took, len(missing))
	}
	if s.gap != 2*time.Second {
		t.Errorf("the gap is %s", s.gap)
	}
	if err := all.complete(); err != nil {
		t.Error(err)
	}
	s.came(12, now.Add(3*time.Second))
	if all.complete() == nil {
		t.Error("a lost line is not noticed")
	}
}

func TestKills(t *testing.T) {
	for _, tc := range []struct {
		name   string
		s      settings
		arm    string
		props  map[string]string
		expect int
	}{
		{"Troupe", settings{}, armTroupe, nil, allKills},
		{"Troupe, as told", settings{trials: 3}, armTroupe, noDelay, 3},
		{"Troupe beside Kafka Connect, tuned", settings{}, armTroupe, noDelay, tunedKills},
		{"Troupe, quick", settings{quick: true}, armTroupe, nil, quickKills},
		{"Kafka Connect's defaults", settings{trials: 20}, armConnect, nil, 1},
		{"Kafka Connect, tuned", settings{}, armConnect, noDelay, tunedKills},
		{"Kafka Connect, tuned, at most its own", settings{trials: 20}, armConnect, noDelay, tunedKills},
		{"Kafka Connect, tuned, fewer", settings{quick: true, trials: 1}, armConnect, noDelay, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := (&env{settings: tc.s}).kills(tc.arm, tc.props); got != tc.expect {
				t.Errorf("got %d, want %d", got, tc.expect)
			}
		})
	}
}
