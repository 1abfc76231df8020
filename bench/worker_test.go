package main

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestMetric holds that the values of all labels count, and that a metric which is not
// there is not taken for one that is 0.
func TestMetric(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "# HELP of_one Words.\nof_one 3\nof_one_more 5\nof_many{task=\"a b-0\"} 1\nof_many{task=\"b-0\"} 2\nnone 0\n")
	}))
	defer srv.Close()
	w := &worker{url: srv.URL}
	for name, want := range map[string]float64{"of_one": 3, "of_many": 3, "none": 0, "of": nan} {
		if got := w.metric(t.Context(), name); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
