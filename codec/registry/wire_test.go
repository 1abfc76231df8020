package registry

import (
	"bytes"
	"slices"
	"testing"
)

func TestHeader(t *testing.T) {
	b := AppendHeader([]byte("x"), 0x01020304)
	if !bytes.Equal(b, []byte{'x', 0, 1, 2, 3, 4}) {
		t.Errorf("header % x", b)
	}
	id, rest, err := Header(append(b[1:], 'y'))
	if id != 0x01020304 || string(rest) != "y" || err != nil {
		t.Errorf("%d, %q, %v", id, rest, err)
	}
	for _, tt := range []struct {
		in   []byte
		want string
	}{
		{nil, "Unknown magic byte!"},
		{[]byte("{}"), "Unknown magic byte!"},
		{[]byte{1, 0, 0, 0, 1}, "Unknown magic byte!"},
		{[]byte{0, 0, 0, 1}, "Invalid payload length; it must be at least 5 bytes"},
	} {
		if _, _, err := Header(tt.in); err == nil || err.Error() != tt.want {
			t.Errorf("% x: %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestIndexes(t *testing.T) {
	for _, tt := range []struct {
		path []int
		want []byte
	}{
		{[]int{0}, []byte{0}},
		{[]int{1}, []byte{2, 2}},
		{[]int{1, 0}, []byte{4, 2, 0}},
		{[]int{0, 0, 300}, []byte{6, 0, 0, 0xd8, 4}},
	} {
		b := AppendIndexes(nil, tt.path)
		if !bytes.Equal(b, tt.want) {
			t.Errorf("%v: % x, want % x", tt.path, b, tt.want)
		}
		path, rest, err := Indexes(append(b, 'y'))
		if err != nil || !slices.Equal(path, tt.path) || string(rest) != "y" {
			t.Errorf("%v: read %v, %q, %v", tt.path, path, rest, err)
		}
	}
	for _, bad := range [][]byte{nil, {0x80}, {1}, {4, 2}, {2, 1}, {0xfe, 0xff, 0xff, 0xff, 0x0f}} {
		if path, _, err := Indexes(bad); err == nil {
			t.Errorf("% x: read %v", bad, path)
		}
	}
}

func FuzzIndexes(f *testing.F) {
	f.Add([]byte{4, 2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		path, rest, err := Indexes(b)
		if err != nil {
			return
		}
		if again, _, err := Indexes(AppendIndexes(nil, path)); err != nil || !slices.Equal(again, path) || len(rest) >= len(b) {
			t.Errorf("%v became %v, %v", path, again, err)
		}
	})
}
