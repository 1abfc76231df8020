package probe

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/troupeio/troupe/connectors/file/faketask"
)

// Faults that end the process happen in a child: this test, started again.
func TestFaultsThatEndTheProcess(t *testing.T) {
	const env = "TROUPE_PROBE_FAULT"
	if kind := os.Getenv(env); kind != "" {
		s := startSource(t, New(io.Discard), faketask.New(), "fault", kind)
		_, _ = s.Poll(t.Context())
		select {} // faketask does not recover: the goroutine's panic ends the process
	}
	for kind, want := range map[string]struct {
		status int
		text   string
	}{
		faultExit:     {faultExitStatus, ""},
		faultPanicOwn: {2, "panic: probe: poll of c-0: panic-own-goroutine on demand"},
		faultPanicGo:  {2, "panic: probe: poll of c-0: panic-goroutine on demand"},
	} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFaultsThatEndTheProcess$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), env+"="+kind)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != want.status || !strings.Contains(string(out), want.text) {
				t.Errorf("%v: %.300s", err, out)
			}
		})
	}
}
