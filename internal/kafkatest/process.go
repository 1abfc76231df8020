package kafkatest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// killWait bounds the wait for a child that got SIGKILL. The kernel needs
// milliseconds, and longer only to give back a large heap.
const killWait = 15 * time.Second

// ProcessSpec says how to start a child process.
type ProcessSpec struct {
	Path    string   // command, looked up on PATH
	Args    []string // without the command itself
	Dir     string   // working directory; empty is the parent's
	Env     []string // added to the parent's environment
	LogFile string   // gets standard output and standard error; appended to
}

// Process is a child that dies with its parent (on Linux even when the parent
// is killed) and whose output is kept in a file.
//
// Methods may be called from any goroutine.
type Process struct {
	spec ProcessSpec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read it after done
}

// StartProcess starts a child. It does not wait for it to be ready.
func StartProcess(spec ProcessSpec) (*Process, error) {
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log file of %s: %w", spec.Path, err)
	}
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Dir = spec.Dir
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()

	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	// The kernel sends the parent-death signal when the parent's thread ends,
	// not its process: the thread that starts the child stays until it ended.
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = log.Close() // the child has its own descriptor
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Path, err)
	}
	return p, nil
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended: nil for exit code 0. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Running says whether the child has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends sig, such as SIGSTOP. A child that has ended is no error.
func (p *Process) Signal(sig os.Signal) {
	// The one error besides "already finished" is a signal that the system
	// lacks, and that is a fault of the caller's code.
	_ = p.cmd.Process.Signal(sig)
}

// Kill ends the child as kill -9 does, and waits for the end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	p.wait(killWait)
}

// Stop asks with SIGTERM, waits at most grace, then kills. The error says that
// it had to kill.
func (p *Process) Stop(grace time.Duration) error {
	p.Signal(syscall.SIGTERM)
	if p.wait(grace) {
		return nil
	}
	p.Kill()
	return fmt.Errorf("stopping %s (process %d): not gone %v after SIGTERM, killed", p.spec.Path, p.PID(), grace)
}

func (p *Process) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// LogFile is where the child's output is.
func (p *Process) LogFile() string { return p.spec.LogFile }

// Tail returns the last lines of the child's output, for an error message.
func (p *Process) Tail(lines int) string { return tail(p.spec.LogFile, lines) }

// tailBytes is how far back tail looks: more than any useful message needs.
const tailBytes = 64 << 10

func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err == nil && st.Size() > tailBytes {
		if _, err := f.Seek(-tailBytes, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
