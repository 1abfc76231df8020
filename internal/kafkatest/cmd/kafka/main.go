// Command kafka runs one Apache Kafka broker for the tests of all packages.
//
//	go run ./internal/kafkatest/cmd/kafka                  prints the address; ends when standard input does, or on SIGTERM
//	go run ./internal/kafkatest/cmd/kafka go test ./...    runs the command with TROUPE_TEST_KAFKA set, ends with its exit code
//
// Where Apache Kafka cannot run, the second form says so and runs the command
// without a broker: the tests that need one are skipped.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/troupeio/troupe/internal/kafkatest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(command []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := kafkatest.Run(ctx)
	switch {
	case errors.Is(err, kafkatest.ErrUnavailable) && len(command) > 0:
		fmt.Fprintf(os.Stderr, "kafka: %v: running without a broker\n", err)
		return execute(ctx, command, "")
	case err != nil:
		fmt.Fprintf(os.Stderr, "kafka: %v\n", err)
		return 1
	}
	defer b.Close()
	if len(command) > 0 {
		return execute(ctx, command, b.Addr())
	}
	fmt.Println(b.Addr())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		// The end of standard input is the sign, whatever ended it. The read
		// cannot be called off; the goroutine ends with the process.
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	<-ctx.Done()
	return 0
}

// execute runs the command with the broker's address in its environment. A
// signal goes on to it, and the broker waits for its end.
func execute(ctx context.Context, command []string, addr string) int {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if addr != "" {
		cmd.Env = append(os.Environ(), kafkatest.EnvBroker+"="+addr)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintf(os.Stderr, "kafka: running %s: %v\n", command[0], err)
		return 1
	}
	return 0
}
