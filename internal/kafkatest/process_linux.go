package kafkatest

import "syscall"

// dieWithParent lets the kernel kill the child when its parent dies, whatever
// way: a test binary that is killed leaves no broker behind.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
