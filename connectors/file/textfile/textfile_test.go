package textfile

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/troupeio/troupe/connectors"
)

// What Java 17's UTF-8 decoder makes of these bytes before a line end, with ? for
// U+FFFD.
func TestToUTF8IsJavas(t *testing.T) {
	for in, want := range map[string]string{
		"41e28241": "A?A", "41e241": "A?A", "41ff41": "A?A", "41c0af41": "A??A", "41eda08041": "A?A",
		"41f09f9841": "A?A", "41f09f41": "A?A", "41f041": "A?A", "41f8888080808041": "A??????A", "4180bf41": "A??A",
		"41f4908080": "A????", "41f5808080": "A????", "41e08080": "A???", "41f0808080": "A????", "41c3": "A?",
		"41e282": "A?", "41f09f98": "A?", "41e0a0": "A?", "41e0": "A?", "edbfbf": "?", "eda0": "?", "c1bf": "??",
		"c241": "?A", "f48fbf": "?", "f490": "??", "41": "A", "": "",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(string(ToUTF8(b)), "\ufffd", "?"); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func FuzzToUTF8(f *testing.F) {
	f.Add([]byte("a\xf0\x9f\x98\xed\xa0\x80é"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := ToUTF8(b)
		if !utf8.Valid(got) {
			t.Fatalf("%x became %x, which is not UTF-8", b, got)
		}
		if utf8.Valid(b) && string(got) != string(b) {
			t.Fatalf("%x was changed to %x", b, got)
		}
	})
}

// full is a file whose disk has room for so many bytes.
type full struct {
	*os.File
	room   int
	behind string // written by somebody else once the disk was full
	t      *testing.T
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:f.room])
	if err != nil {
		f.t.Fatal(err)
	}
	f.room = 0
	if f.behind != "" {
		o, err := os.OpenFile(f.Name(), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		defer func() { _ = o.Close() }()
		if _, err := o.WriteString(f.behind); err != nil {
			f.t.Fatal(err)
		}
	}
	return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

func TestAppendOnFullDisk(t *testing.T) {
	for name, tc := range map[string]struct {
		room   int
		behind string
		want   string // after the first try, and after the second
		again  string
	}{
		"nothing fits":      {0, "", "old\n", "old\none\ntwo\n"},
		"half a row fits":   {6, "", "old\n", "old\none\ntwo\n"},
		"a whole row fits":  {4, "", "old\n", "old\none\ntwo\n"},
		"somebody appended": {6, "x\n", "old\none\ntwx\n", "old\none\ntwx\n\none\ntwo\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			osf, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			f := &full{osf, tc.room, tc.behind, t}
			a := &Appender{path: path, f: f, close: true}
			rows := []byte("one\ntwo\n")
			err = a.Append(rows)
			if !connectors.IsRetriable(err) || !strings.Contains(err.Error(), path) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("got %v, want a retriable error that names the file", err)
			}
			got, _ := os.ReadFile(path)
			if string(got) != tc.want {
				t.Errorf("after the failure: %q, want %q", got, tc.want)
			}
			f.room = 1000
			if err := a.Append(rows); err != nil {
				t.Fatal(err)
			}
			if got, _ = os.ReadFile(path); string(got) != tc.again {
				t.Errorf("after the retry: %q, want %q", got, tc.again)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOtherWriteErrorsAreNotRetriable(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	a := NewAppender("the file", f)
	if err := a.Append([]byte("x\n")); err == nil || connectors.IsRetriable(err) || !strings.Contains(err.Error(), "the file") {
		t.Errorf("got %v", err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	open := func() *Appender {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return NewAppender(path, f)
	}
	a, b := open(), open()
	if !a.Lock() {
		t.Fatal("the first lock was refused")
	}
	if b.Lock() {
		t.Skip("this system has no locks")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !b.Lock() {
		t.Error("the lock was refused after the first was closed")
	}
}
