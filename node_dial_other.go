//go:build !linux

package main

import "syscall"

// quickToNotice does nothing where there is no TCP_USER_TIMEOUT: request.timeout.ms
// decides.
func quickToNotice(string, string, syscall.RawConn) error { return nil }
