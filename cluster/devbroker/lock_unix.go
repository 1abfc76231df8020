//go:build unix

package devbroker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process has the data directory.
var ErrLocked = errors.New("in use by another process")

// dirLock is an flock on a file in the directory. The kernel lets go of it
// however the process ends.
type dirLock struct{ file *os.File }

// lockDir takes the directory or says who has it. Writing the holder's process
// id is also the first write, so a full disk or a read-only directory is noticed
// here.
func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the dev broker's directory %s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking the dev broker's directory %s: %w", dir, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		if id := strings.TrimSpace(string(holder)); id != "" {
			return nil, fmt.Errorf("the dev broker's directory %s is %w (process %s): stop that one, or choose another directory", dir, ErrLocked, id)
		}
		return nil, fmt.Errorf("the dev broker's directory %s is %w: stop that one, or choose another directory", dir, ErrLocked)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing to the dev broker's directory %s: %w", dir, err)
	}
	return &dirLock{f}, nil
}

// unlock keeps the file: removing it would let two processes lock two files of
// the same name.
func (l *dirLock) unlock() {
	_ = l.file.Truncate(0)
	_ = l.file.Close()
}
