// Package textfile is what the connectors for text files share: a [Tail] that
// follows a growing file through rotation and truncation, an [Appender] that
// never leaves half a row behind if it can help it, and the decoding of bytes
// that are not UTF-8. It imports only the standard library, golang.org/x/sys and
// connectors.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/troupeio/troupe/connectors"
)

const (
	minChunk = 16 << 10 // for files to which little is added at a time
	maxChunk = 1 << 20  // beyond this, larger reads gain nothing measurable
)

// Change is what has become of a file since it was opened.
type Change uint8

// The changes that a Tail notices.
const (
	Same      Change = iota // the file is the one that is open
	Replaced                // another file stands under the name (rotation by renaming)
	Truncated               // the file is shorter than what was read of it
)

// Tail reads a file from a byte position on, as it grows.
//
// What it has read lies in a chunk that is never overwritten: slices of
// [Tail.Bytes] stay valid and may be shared with records. A new chunk is taken
// when the old one is full; what is unread of it, at most one row, is copied.
// Memory is bounded by the longest row (up to three times its length while it is
// incomplete), and the copying is linear in it because chunks double.
//
// It is used by one goroutine at a time.
type Tail struct {
	path string
	f    *os.File
	info os.FileInfo
	kind kind

	buf  []byte
	r, w int   // buf[r:w] is read and not consumed
	pos  int64 // of buf[r] in the file

	leaving bool // another file was seen under the name; see Change
}

type kind uint8

const (
	regular  kind = iota
	pollable      // named pipe or device: reads end by a deadline
	standard      // standard input: asked with poll(2) before each read
)

// Open opens path for reading from byte position pos on. past is true when the
// file is shorter than that, which means that it was replaced or truncated while
// nobody looked: then the Tail stands at 0. The error satisfies
// errors.Is(err, os.ErrNotExist) when there is no such file.
func Open(path string, pos int64) (t *Tail, past bool, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, false, fmt.Errorf("opening %s: %w", path, unwrapPath(err))
	}
	if st.IsDir() {
		return nil, false, connectors.ConfigError("opening %s: it is a directory, not a file", path)
	}
	t = &Tail{path: path}
	if st.Mode().IsRegular() {
		t.f, err = os.Open(path)
	} else {
		t.kind = pollable
		t.f, err = openNonblock(path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("opening %s: %w", path, unwrapPath(err))
	}
	// The file that is open counts, not the one that was looked at before.
	if t.info, err = t.f.Stat(); err != nil {
		_ = t.f.Close()
		return nil, false, fmt.Errorf("opening %s: %w", path, unwrapPath(err))
	}
	if t.kind == regular && pos > 0 {
		if past = t.info.Size() < pos; past {
			pos = 0
		}
		if _, err := t.f.Seek(pos, io.SeekStart); err != nil {
			_ = t.f.Close()
			return nil, false, fmt.Errorf("opening %s at %d: %w", path, pos, unwrapPath(err))
		}
		t.pos = pos
	}
	return t, past, nil
}

// FromStdin returns a Tail of standard input, or of what stands in for it.
// [Tail.Close] leaves it open.
func FromStdin(f *os.File) *Tail { return &Tail{path: "standard input", f: f, kind: standard} }

// unwrapPath drops the path from an error that is going to get it anyway.
func unwrapPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Bytes returns what is read and not consumed. It is never overwritten.
func (t *Tail) Bytes() []byte { return t.buf[t.r:t.w:t.w] }

// Pos returns the byte position of the first unconsumed byte.
func (t *Tail) Pos() int64 { return t.pos }

// AtEnd reports whether the last [Tail.Fill] met the end of the file as it was then.
func (t *Tail) AtEnd() bool { return t.w < len(t.buf) }

// Consume says that the first n bytes of [Tail.Bytes] are dealt with.
func (t *Tail) Consume(n int) {
	t.r += n
	t.pos += int64(n)
}

// Fill reads what there is, once, without waiting for more, and returns how much
// that was: 0 at the end of the file.
func (t *Tail) Fill() (int, error) {
	t.room()
	n, err := t.read(t.buf[t.w:])
	t.w += n
	if n > 0 {
		t.leaving = false
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	return 0, connectors.Errorf("reading %s at %d: %w", t.path, t.pos+int64(t.w-t.r), unwrapPath(err))
}

func (t *Tail) read(p []byte) (int, error) {
	switch t.kind {
	case pollable:
		// Not every device takes a deadline; a read of one that does not may block.
		_ = t.f.SetReadDeadline(time.Now().Add(time.Millisecond))
	case standard:
		if !readable(t.f) {
			return 0, nil
		}
	}
	return t.f.Read(p)
}

// room makes room for reading. A chunk that has a quarter of its room left is
// used on, so that a trickle of short lines does not take a chunk each.
func (t *Tail) room() {
	if free := len(t.buf) - t.w; free > 0 && free >= len(t.buf)/4 {
		return
	}
	unread := t.w - t.r
	size := int64(maxChunk)
	if t.kind == regular {
		if st, err := t.f.Stat(); err == nil {
			// One byte more than there is, so that a read says that it met the end.
			size = st.Size() - t.pos + 1
		}
	}
	size = max(minChunk, min(size, maxChunk))
	if least := 2 * int64(unread); size < least {
		size = least
	}
	buf := make([]byte, size)
	t.w = copy(buf, t.buf[t.r:t.w])
	t.r, t.buf = 0, buf
}

// Change looks whether the file under the name is still the one that is open. Ask
// it when [Tail.Fill] returns 0.
//
// A replaced file is reported only the second time that it is seen with nothing
// new in the old one, since its writer may go on for a moment after the renaming.
// Two changes cannot be seen by size and identity: a file that was truncated and
// has grown beyond the old position since, and a file that was replaced while no
// Tail had it open and is longer than the stored position.
func (t *Tail) Change() Change {
	if t.kind != regular {
		return Same
	}
	if st, err := t.f.Stat(); err == nil && st.Size() < t.pos+int64(t.w-t.r) {
		return Truncated
	}
	st, err := os.Stat(t.path)
	if err != nil || os.SameFile(st, t.info) || !st.Mode().IsRegular() {
		t.leaving = false // gone for a moment, or for good: what is open goes on
		return Same
	}
	if !t.leaving {
		t.leaving = true
		return Same
	}
	return Replaced
}

// Quiet reports whether the file is the one that is open and ends where it was read
// to, by one look at the name: neither [Tail.Fill] nor [Tail.Change] would find
// anything. It is never sure of what has no size, nor are the files of /proc right
// about theirs: read now and then all the same.
func (t *Tail) Quiet() bool {
	if t.kind != regular {
		return false
	}
	st, err := os.Stat(t.path)
	return err == nil && !t.leaving && st.Size() == t.pos+int64(t.w-t.r) && os.SameFile(st, t.info)
}

// Reopen starts from 0 of the file under the name, dropping what is unread. When
// that cannot be opened just now the Tail stays as it was.
func (t *Tail) Reopen() error {
	n, _, err := Open(t.path, 0)
	if err != nil {
		return err
	}
	_ = t.f.Close()
	*t = *n
	return nil
}

// Close closes the file.
func (t *Tail) Close() error {
	if t.kind == standard {
		return nil
	}
	return t.f.Close()
}
