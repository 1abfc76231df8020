//go:build !windows

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyQuit sends SIGQUIT to ch until the result is called.
func notifyQuit(ch chan os.Signal) func() {
	signal.Notify(ch, syscall.SIGQUIT)
	return func() { signal.Stop(ch) }
}
