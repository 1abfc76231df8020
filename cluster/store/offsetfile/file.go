// Package offsetfile reads and writes the file in which a standalone worker
// keeps source offsets, offset.storage.file.filename, in Kafka Connect's format: a
// HashMap<byte[], byte[]> in Java's serialisation. It imports the standard library
// only.
package offsetfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Entry is one offset: the bytes that would be a record's key and value in the
// offsets topic. nil is null.
type Entry struct {
	Key, Value []byte
}

// Read returns the entries of the file at path in the order of the file. A file
// that is missing or empty has none.
//
// Errors name the file; a [*CorruptError] among them says where in it. Kafka
// Connect takes a file that is cut off for an empty one, and so starts all
// sources anew without a word; here it is corrupt.
func Read(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading offsets: %w", err)
	}
	entries, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("reading offsets: %s: %w", path, err)
	}
	return entries, nil
}

// Write replaces the file at path by one with the entries. After a crash it has
// either its old content or the new. A link at path stays, what it leads to is
// replaced. A file that is there keeps its permissions.
//
// The file path + ".tmp" is used on the way, so one process may write at a time.
func Write(path string, entries []Entry) error {
	if err := replace(path, Encode(entries)); err != nil {
		return fmt.Errorf("writing offsets: %w", err)
	}
	return nil
}

func replace(path string, text []byte) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp := path + ".tmp"
	// One that a crash left behind is removed, not written to: it might be a link.
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if info, statErr := os.Stat(path); statErr == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
