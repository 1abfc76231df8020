//go:build !unix

package devbroker

import (
	"errors"
	"fmt"
)

// ErrLocked says that another process has the data directory.
var ErrLocked = errors.New("in use by another process")

// dirLock does not exist on this platform, so the broker does not run here: two
// processes on one directory would destroy it.
type dirLock struct{}

func lockDir(dir string) (*dirLock, error) {
	return nil, fmt.Errorf("locking the dev broker's directory %s: %w", dir, errors.ErrUnsupported)
}

func (l *dirLock) unlock() {}
