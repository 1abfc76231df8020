package main

import (
	"math"
	"path/filepath"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		name              string
		in                []float64
		median, low, high float64
		ok                bool
	}{
		{"nothing", nil, 0, 0, 0, false},
		{"only failed runs", []float64{nan, nan}, 0, 0, 0, false},
		{"one", []float64{2}, 2, 2, 2, true},
		{"odd", []float64{3, 1, 2}, 2, 1, 3, true},
		{"even", []float64{4, 1, 2, 3}, 2.5, 1, 4, true},
		{"a failed run does not count", []float64{3, nan, 1}, 2, 1, 3, true},
		{"nor does a division by nothing", []float64{math.Inf(1), 5}, 5, 5, 5, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			median, low, high, ok := spread(tc.in)
			if ok != tc.ok || ok && (median != tc.median || low != tc.low || high != tc.high) {
				t.Errorf("got %v %v %v %v", median, low, high, ok)
			}
		})
	}
}

// TestVerdict holds that a row which we lose cannot read as won.
func TestVerdict(t *testing.T) {
	rate := metric{"rate", "", "", true, []target{{timesConnect, 5}, {timesBare, 0.7}}}
	memory := metric{"peak", "", "MB", false, []target{{atMost, 150}}}
	share := metric{"others", "", "%", true, []target{{atLeast, 80}}}
	for _, tc := range []struct {
		name                  string
		m                     metric
		connect, troupe, bare []float64
		want                  string
	}{
		{"both targets kept", rate, []float64{1, 1}, []float64{6, 7}, []float64{8, 8}, "yes"},
		{"slower than promised", rate, []float64{1, 1}, []float64{3, 4}, []float64{4, 4}, "**no**: ≥ 5 × Kafka Connect"},
		{"far from the ceiling", rate, []float64{1, 1}, []float64{6, 7}, []float64{100, 100}, "**no**: ≥ 0.70 × bare"},
		{"slower than Kafka Connect", rate, []float64{2, 2}, []float64{1, 1}, []float64{1, 1}, "**LOST**"},
		{"a failed run", rate, []float64{1, 1}, []float64{6, nan}, nil, "**FAILED**"},
		{"not run", rate, []float64{1, 1}, nil, nil, ""},
		{"enough", share, nil, []float64{80}, nil, "yes"},
		{"not enough", share, nil, []float64{79}, nil, "**no**: ≥ 80 %"},
		{"less is better", memory, []float64{1400}, []float64{100}, nil, "yes"},
		{"too much, but less than Kafka Connect", memory, []float64{1400}, []float64{200}, nil, "**no**: ≤ 150 MB"},
		{"enough by the number, but more than Kafka Connect", memory, []float64{100}, []float64{120}, nil, "**LOST**"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newResults(settings{})
			for arm, values := range map[string][]float64{armConnect: tc.connect, armTroupe: tc.troupe, armBare: tc.bare} {
				for _, v := range values {
					if math.IsNaN(v) {
						r.failed("row", arm, filepath.ErrBadPattern)
						continue
					}
					r.add("row", arm, metrics{tc.m.name: v})
				}
			}
			if got := r.verdict("row", tc.m); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestFormsAgree holds that what is written is what is checked: size and
// checksum of a file in each form.
func TestFormsAgree(t *testing.T) {
	for name, f := range map[string]form{"plain": plain, "hoisted": hoisted, "printed": printed} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lines")
			const n = 1000
			if err := f.writeFile(path, n, lineLength); err != nil {
				t.Fatal(err)
			}
			if err := f.checkFile(path, n, lineLength); err != nil {
				t.Error(err)
			}
			if err := f.checkFile(path, n+1, lineLength); err == nil {
				t.Error("a missing line is not noticed")
			}
		})
	}
}

func TestLinesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for i := range 1000 {
		l := string(line(nil, i, lineLength))
		if len(l) != lineLength || seen[l] {
			t.Fatalf("line %d is %q", i, l)
		}
		seen[l] = true
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 3: "3", 0.504: "0.50", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 1234.5: "1234"} {
		if got := number(in); got != want {
			t.Errorf("number(%v) = %s, want %s", in, got, want)
		}
	}
}
