package kafkatest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// EnvBroker names a broker that already runs, as host:port. [Shared] then uses
// it, so that one broker serves the tests of all packages; see cmd/kafka.
const EnvBroker = "TROUPE_TEST_KAFKA"

// Start starts a broker for one test, which may stop and kill it. It ends with
// the test. The test is skipped where Apache Kafka cannot run.
func Start(t testing.TB, opts ...Option) *Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout+startTimeout)
	defer cancel()
	b, err := Run(ctx, opts...)
	skipOrFail(t, err)
	t.Cleanup(b.Close)
	return b
}

func skipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, ErrUnavailable):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// shared is the one broker of this test binary. It is package state because
// that is what it means: tests share nothing else through which to pass it.
var shared struct {
	sync.Mutex
	broker *Broker
	err    error
}

// Shared returns the broker of this test binary, or the one that [EnvBroker]
// names, and starts it at the first call. Use names of your own for topics and
// groups; do not stop it. The package needs a TestMain that calls [Main], or
// the broker's data stay behind in the temporary directory.
func Shared(t testing.TB) *Broker {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil && shared.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout+startTimeout)
		defer cancel()
		if addr := os.Getenv(EnvBroker); addr != "" {
			b := &Broker{addr: addr, fromOutside: true}
			if shared.err = b.waitReady(ctx); shared.err == nil {
				shared.broker = b
			}
		} else {
			shared.broker, shared.err = Run(ctx)
		}
	}
	skipOrFail(t, shared.err)
	return shared.broker
}

// Main runs the tests, ends the shared broker and returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(kafkatest.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker != nil {
		shared.broker.Close()
		shared.broker = nil
	}
	return code
}
