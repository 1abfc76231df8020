//go:build unix

package textfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openNonblock opens a named pipe without waiting for its writer; the runtime
// then lets a read end by a deadline.
func openNonblock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// readable reports whether a read of f would return at once. Standard input may
// be shared with other processes, so it is not made non-blocking.
func readable(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 1)
	return err == nil && n > 0
}

// lock takes f for this process's open file alone; false when another has it.
// A file system without locks counts as unlocked.
func lock(f *os.File) bool {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return !errors.Is(err, unix.EWOULDBLOCK)
}

func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
