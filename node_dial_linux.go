package main

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long what was sent to a broker may stay unacknowledged by its
// machine before the connection counts as dead. Without a bound a node that was cut off
// waits, after the network has healed, for request.timeout.ms on a connection that the
// other side has long given up.
const unacknowledged = 3 * time.Second

// quickToNotice sets that bound on a connection that is being made.
func quickToNotice(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	}); cerr != nil {
		return cerr
	}
	return err
}
