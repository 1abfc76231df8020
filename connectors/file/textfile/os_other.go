//go:build !unix

package textfile

import (
	"errors"
	"os"
	"syscall"
)

func openNonblock(path string) (*os.File, error) { return os.Open(path) }

// readable always says yes here: a read of standard input blocks until there is
// some, and so does a poll.
func readable(*os.File) bool { return true }

// lock is not known here; the file counts as ours.
func lock(*os.File) bool { return true }

// ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL of Windows.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.ENOSPC)
}
