package devbroker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &clusterLogger{to: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		count := func(level string) int { return strings.Count(out.String(), "level="+level) }

		l.Logf(kfake.LogLevelInfo, "client %s joined", "c")
		l.Logf(kfake.LogLevelWarn, "slow")
		equal(t, [2]int{count("DEBUG"), count("ERROR")}, [2]int{2, 0})

		// A full disk, at each try of a producer.
		for range 3 {
			l.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "t", 0, "no space left on device")
		}
		l.Logf(kfake.LogLevelError, "persist to disk: %v", "no space left on device")
		equal(t, count("ERROR"), 2)
		time.Sleep(repeatAfter)
		l.Logf(kfake.LogLevelWarn, "persist batch %s-%d: %v", "t", 0, "no space left on device")
		equal(t, count("ERROR"), 3)

		equal(t, l.collected(), nil)
		l.collectErrors()
		l.Logf(kfake.LogLevelError, "persist to disk: %v", "bad")
		if err := l.collected(); err == nil || err.Error() != "persist to disk: bad" {
			t.Errorf("collected %v", err)
		}
		equal(t, count("ERROR"), 3)
	})
}
