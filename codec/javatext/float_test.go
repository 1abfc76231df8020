package javatext

import "testing"

func TestFloat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{4.9e-324, "4.9E-324"}, // the shortest would be 5E-324, but Java looks at two digits
		{-4.9e-324, "-4.9E-324"},
		{9.9e-324, "9.9E-324"},
		{2e-323, "2.0E-323"},
		{1e23, "1.0E23"},
		{2e-3, "0.002"},
		{9.999e-4, "9.999E-4"},
		{1e7, "1.0E7"},
	} {
		if got := Float64(c.v); got != c.want {
			t.Errorf("%g is written as %s, want %s", c.v, got, c.want)
		}
	}
	for v, want := range map[float32]string{1e-45: "1.4E-45", 3e-45: "2.8E-45", 1e-44: "9.8E-45", 1e-43: "9.9E-44", 3e10: "3.0E10"} {
		if got := Float32(v); got != want {
			t.Errorf("%g is written as %s, want %s", v, got, want)
		}
	}
}
