package textfile

import (
	"fmt"
	"io"
	"os"

	"github.com/troupeio/troupe/connectors"
)

// file is what an Appender needs of an *os.File; tests put in one whose disk is
// full.
type file interface {
	io.Writer
	io.Seeker
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Close() error
}

// Appender adds whole rows to the end of a file, in one write a call.
//
// A write that stops half-way (a full disk) would leave a torn row, to which the
// next writer's first row would be glued, and whole rows that a retry repeats. So
// the Appender takes back what it wrote: it truncates the file to where this write
// began, if nothing stands behind it. If something does, another process has
// appended since, and cutting would destroy its rows: then the torn row stays and
// gets a line end before the next write, and the retry repeats the rows before it.
// Between the look and the cut is a moment in which a foreign append can be lost;
// it can be closed only by having one writer for a file.
//
// It is used by one goroutine at a time.
type Appender struct {
	path  string
	f     file
	torn  bool
	close bool
}

// NewAppender appends to a file that is open in append mode. What Close does to
// it is close it.
func NewAppender(path string, f *os.File) *Appender { return &Appender{path: path, f: f, close: true} }

// ToStdout appends to standard output, or to what stands in for it.
// [Appender.Close] leaves it open.
func ToStdout(f *os.File) *Appender { return &Appender{path: "standard output", f: f} }

// Lock takes the file for one Appender alone, as long as it is open. It returns
// false when another Appender of this machine has it.
func (a *Appender) Lock() bool {
	f, ok := a.f.(*os.File)
	return !ok || lock(f)
}

// Append writes rows, which end with a line end, in one write. The error is
// retriable when the disk is full.
func (a *Appender) Append(rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if a.torn {
		if _, err := a.f.Write([]byte{'\n'}); err != nil {
			return a.fail(0, 1, err)
		}
		a.torn = false
	}
	n, err := a.f.Write(rows)
	if err == nil && n == len(rows) {
		return nil
	}
	if err == nil {
		err = io.ErrShortWrite
	}
	if n > 0 {
		a.takeBack(int64(n), rows[n-1] == '\n')
	}
	return a.fail(n, len(rows), err)
}

// takeBack undoes a write of n bytes, see [Appender].
func (a *Appender) takeBack(n int64, whole bool) {
	// In append mode the position after a write is the end of what was written.
	end, err := a.f.Seek(0, io.SeekCurrent)
	if err == nil {
		var st os.FileInfo
		if st, err = a.f.Stat(); err == nil && st.Mode().IsRegular() && st.Size() == end && end >= n {
			if a.f.Truncate(end-n) == nil {
				return
			}
		}
	}
	a.torn = !whole
}

func (a *Appender) fail(n, of int, err error) error {
	err = fmt.Errorf("writing to %s (%d of %d bytes written): %w", a.path, n, of, unwrapPath(err))
	if isDiskFull(err) {
		return connectors.Retriable(err)
	}
	return err
}

// Close closes the file.
func (a *Appender) Close() error {
	if !a.close {
		return nil
	}
	if err := a.f.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", a.path, unwrapPath(err))
	}
	return nil
}
