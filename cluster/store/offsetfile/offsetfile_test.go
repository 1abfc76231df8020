package offsetfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func numbered(n int) (entries []Entry) {
	for i := range n {
		entries = append(entries, Entry{fmt.Appendf(nil, `["c",{"n":%05d}]`, i), fmt.Appendf(nil, `{"position":%d}`, i)})
	}
	return entries
}

var sets = []struct {
	name    string
	entries []Entry
}{
	{"none", nil},
	{"one", []Entry{{[]byte(`["c",{"filename":"a"}]`), []byte(`{"position":1}`)}}},
	{"null value", []Entry{{[]byte("k"), nil}}},
	{"null key", []Entry{{nil, []byte("v")}}},
	{"nulls only", []Entry{{nil, nil}}},
	{"empty arrays", []Entry{{[]byte{}, []byte{}}}},
	{"empty and null keys", []Entry{{nil, []byte("n")}, {[]byte{}, []byte("e")}}},
	{"all byte values", []Entry{{[]byte("k\x00\xff\x7f\x80"), []byte{0x78, 0x70, 0x71}}}},
	{"12, just before growing", numbered(12)},
	{"13, just after growing", numbered(13)},
	{"25", numbered(25)},
	{"1000", numbered(1000)},
	{"a long one", []Entry{{[]byte("k"), []byte(strings.Repeat("x", 100_000))}}},
}

func TestRoundTrip(t *testing.T) {
	for _, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "offsets")
			if err := Write(path, set.entries); err != nil {
				t.Fatal(err)
			}
			got, err := Read(path)
			if err != nil || !reflect.DeepEqual(got, set.entries) {
				t.Errorf("got %q (%v), want %q", got, err, set.entries)
			}
			if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestLayout holds the bytes against the layout in Kafka Connect's files.
func TestLayout(t *testing.T) {
	want := "aced0005" + "7372" + "0011" + hex.EncodeToString([]byte("java.util.HashMap")) + "0507dac1c31660d1" + "03" +
		"0002" + "46" + "000a" + hex.EncodeToString([]byte("loadFactor")) + "49" + "0009" + hex.EncodeToString([]byte("threshold")) +
		"7870" + "3f400000" + "0000000c" + "7708" + "00000010" + "00000002" +
		"7572" + "0002" + "5b42" + "acf317f8060854e0" + "02" + "0000" + "7870" + "00000001" + "6b" +
		"7571" + "007e0002" + "00000001" + "76" +
		"7571" + "007e0002" + "00000001" + "6c" + "70" + "78"
	got := hex.EncodeToString(Encode([]Entry{{[]byte("l"), nil}, {[]byte("k"), []byte("v")}}))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCapacity(t *testing.T) {
	for _, row := range []struct{ n, threshold, buckets int }{
		{0, 0, 16}, {1, 12, 16}, {12, 12, 16}, {13, 24, 32}, {24, 24, 32}, {25, 48, 64}, {97, 192, 256},
	} {
		if threshold, buckets := capacity(row.n); threshold != row.threshold || buckets != row.buckets {
			t.Errorf("%d entries: got %d of %d, want %d of %d", row.n, threshold, buckets, row.threshold, row.buckets)
		}
	}
}

func TestEncodeKeepsTheLast(t *testing.T) {
	entries := []Entry{{[]byte("k"), []byte("1")}, {[]byte("j"), nil}, {[]byte("k"), []byte("2")}, {nil, []byte("3")}, {nil, []byte("4")}}
	before := slices.Clone(entries)
	got, err := Decode(Encode(entries))
	want := []Entry{{nil, []byte("4")}, {[]byte("j"), nil}, {[]byte("k"), []byte("2")}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if !reflect.DeepEqual(entries, before) {
		t.Error("the argument was changed")
	}
}

func TestMissingAndEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	if got, err := Read(path); got != nil || err != nil {
		t.Errorf("missing: %v, %v", got, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); got != nil || err != nil {
		t.Errorf("empty: %v, %v", got, err)
	}
}

func TestCorrupt(t *testing.T) {
	good := Encode([]Entry{{[]byte("key"), []byte("value")}})
	change := func(offset int, b ...byte) []byte {
		text := slices.Clone(good)
		copy(text[offset:], b)
		return text
	}
	const afterClass = 8 + 17 + 8 + 1 + 2 + 13 + 12 + 2 // the map's fields
	const afterSize = afterClass + 8 + 2 + 8            // the first entry
	for _, row := range []struct {
		name   string
		text   []byte
		offset int
		want   string
	}{
		{"json", []byte(`{"a":1}`), 0, "not a Java serialisation stream"},
		{"version", change(2, 0, 6), 2, "expected a stream of version 5"},
		{"another class", change(8, 'x'), 6, "expected class java.util.HashMap"},
		{"another version of the class", change(25, 0), 25, "of java.util.HashMap"},
		{"load factor", change(afterClass, 0, 0, 0, 0), afterClass, "illegal load factor 0"},
		{"not a number", change(afterClass, 0x7f, 0xc0, 0, 0), afterClass, "illegal load factor NaN"},
		{"negative size", change(afterSize-4, 0xff), afterSize - 4, "illegal number of entries"},
		{"too many entries", change(afterSize-4, 0x7f), len(good) - 1, "expected a byte array or null, found 0x78"},
		{"too few entries", change(afterSize-1, 0), afterSize, "expected the end of the map"},
		{"an object for a key", change(afterSize, tcObject), afterSize, "expected a byte array or null, found 0x73"},
		{"array of ints", change(afterSize+5, 'I'), afterSize + 2, "expected class [B"},
		{"array too long", change(afterSize+19, 0x7f), afterSize + 19, "a byte array of"},
		{"negative array", change(afterSize+19, 0xff), afterSize + 19, "a byte array of"},
		{"bytes at the end", append(slices.Clone(good), 0), len(good), "1 bytes after the end"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "offsets")
			if err := os.WriteFile(path, row.text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Offset != row.offset || !strings.Contains(corrupt.Msg, row.want) {
				t.Fatalf("got %v, want byte %d: %s", err, row.offset, row.want)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
	for n := 1; n < len(good); n++ {
		if _, err := Decode(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a file", n, len(good))
		}
	}
}

func TestReferenceToAnArray(t *testing.T) {
	text := Encode([]Entry{{[]byte("k"), nil}})
	// Instead of null, the key again.
	text = append(text[:len(text)-2], tcReference, 0x00, 0x7e, 0x00, 0x03, tcEndBlockData)
	got, err := Decode(text)
	if want := []Entry{{[]byte("k"), []byte("k")}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	text[len(text)-2] = 4
	if _, err := Decode(text); err == nil {
		t.Error("a reference to nothing is accepted")
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "offsets")
	one, two := numbered(1), numbered(2)

	t.Run("keeps permissions", func(t *testing.T) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, one); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	t.Run("follows a link", func(t *testing.T) {
		link := filepath.Join(dir, "link")
		if err := os.Symlink("offsets", link); err != nil {
			t.Fatal(err)
		}
		if err := Write(link, two); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || len(got) != 2 {
			t.Errorf("%q, %v", got, err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
			t.Errorf("the link is gone: %v, %v", info, err)
		}
	})
	t.Run("after a crash on the way", func(t *testing.T) {
		if err := os.WriteFile(path+".tmp", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, one); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || len(got) != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		path := filepath.Join(dir, "none", "offsets")
		if err := Write(path, one); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a directory in its place", func(t *testing.T) {
		path := filepath.Join(dir, "d")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, one); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(path + ".tmp"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left behind: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, set := range sets {
		if text := Encode(set.entries); len(text) < 5000 {
			f.Add(text)
		}
	}
	f.Add([]byte{0xac, 0xed, 0, 5})
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := Decode(text)
		if err != nil {
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Offset < 0 || corrupt.Offset > len(text) {
				t.Fatalf("%v of %d bytes", err, len(text))
			}
			return
		}
		again, err := Decode(Encode(entries))
		if err != nil || !reflect.DeepEqual(again, distinctOrNil(entries)) {
			t.Fatalf("%q became %q, %v", entries, again, err)
		}
	})
}

func distinctOrNil(entries []Entry) []Entry {
	if len(entries) == 0 {
		return nil
	}
	return distinct(entries)
}

// lines prints entries as the Java program does.
func lines(entries []Entry) string {
	word := func(b []byte) string {
		switch {
		case b == nil:
			return "-"
		case len(b) == 0:
			return "."
		}
		return hex.EncodeToString(b)
	}
	var all []string
	for _, e := range entries {
		all = append(all, word(e.Key)+" "+word(e.Value)+"\n")
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// java compiles the test program and returns a function that runs it.
func java(t *testing.T) func(stdin string, args ...string) string {
	t.Helper()
	binary, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not on the PATH")
	}
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("javac is not on the PATH")
	}
	classes := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), javac, "-d", classes, "testdata/OffsetFile.java").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"-Xshare:auto", "-cp", classes, "OffsetFile"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		return string(out)
	}
}

// TestJava has Java read what Go wrote and the reverse, and compares the two
// files but for the order of the entries, which Java leaves open.
func TestJava(t *testing.T) {
	run := java(t)
	dir := t.TempDir()
	var ours, theirs []string
	var entries strings.Builder
	for i, set := range sets {
		ours = append(ours, filepath.Join(dir, fmt.Sprint("go", i)))
		theirs = append(theirs, filepath.Join(dir, fmt.Sprint("java", i)))
		if err := Write(ours[i], set.entries); err != nil {
			t.Fatal(err)
		}
		entries.WriteString(lines(set.entries) + "=\n")
	}
	shared := filepath.Join(dir, "shared")
	run(entries.String()+"6b 76\n* *\n=\n", append(append([]string{"write"}, theirs...), shared)...)
	read := strings.Split(run("", append([]string{"read"}, ours...)...), "=\n")

	for i, set := range sets {
		t.Run(set.name, func(t *testing.T) {
			if want := lines(set.entries); read[i] != want {
				t.Errorf("Java reads %s, want %s", read[i], want)
			}
			got, err := Read(theirs[i])
			if err != nil || lines(got) != lines(set.entries) {
				t.Errorf("Go reads %q, %v", got, err)
			}
			a, errA := os.ReadFile(ours[i])
			b, errB := os.ReadFile(theirs[i])
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			const header = 81 // up to and with the number of entries
			if len(a) != len(b) || string(a[:header]) != string(b[:header]) {
				t.Errorf("Go wrote %d bytes, %x\nJava     %d bytes, %x", len(a), a[:header], len(b), b[:header])
			}
			if len(set.entries) < 2 && string(a) != string(b) {
				t.Errorf("Go wrote %x\nJava     %x", a, b)
			}
		})
	}
	t.Run("an array that occurs twice", func(t *testing.T) {
		got, err := Read(shared)
		if err != nil || lines(got) != "0102 0102\n6b 76\n" {
			t.Errorf("%q, %v", got, err)
		}
	})
}
