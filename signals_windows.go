package main

import "os"

// notifyQuit does nothing: Windows has no SIGQUIT.
func notifyQuit(chan os.Signal) func() { return func() {} }
