package textfile

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestAwaitLooksTogether: whoever waits, since whenever, looks at the same moments, four
// times a second, and is back after about as long as it was to wait.
func TestAwaitLooksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := make(map[time.Time]int)
		for i := range 3 {
			time.Sleep(time.Duration(i) * 77 * time.Millisecond)
			begun, n := time.Now(), 0
			ok, err := Await(t.Context(), time.Second, func() (bool, error) {
				if n++; n > 1 {
					looks[time.Now()]++
					if off := time.Since(time.Now().Truncate(tickWait)); off != 0 {
						t.Errorf("a look %v beside the grid", off)
					}
				}
				return false, nil
			})
			if took := time.Since(begun); ok || err != nil || n < 4 || n > 6 || took < 750*time.Millisecond || took > 1250*time.Millisecond {
				t.Errorf("%v, %v after %d looks in %v", ok, err, n, took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if ok, err := Await(ctx, time.Minute, func() (bool, error) { return false, nil }); ok || err != nil || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("%v, %v after %v", ok, err, time.Since(begun))
		}
	})
}

// TestQuiet: nothing is read of a file that one look says has not changed, and every
// change is seen.
func TestQuiet(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string){
		"more":      func(t *testing.T, path string) { write(t, path, "abcd") },
		"truncated": func(t *testing.T, path string) { write(t, path, "a") },
		"gone": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"replaced by one as long": func(t *testing.T, path string) {
			write(t, path+".new", "xyz")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, "abc")
			tail, _, err := Open(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tail.Close() }()
			if tail.Quiet() {
				t.Error("quiet before it was read")
			}
			if n, err := tail.Fill(); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			if !tail.Quiet() || !tail.AtEnd() {
				t.Error("not quiet at its end")
			}
			tail.Consume(1)
			if !tail.Quiet() {
				t.Error("not quiet with something unread that was seen")
			}
			change(t, path)
			if tail.Quiet() {
				t.Error("quiet after the change")
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
