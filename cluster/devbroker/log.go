package devbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// repeatAfter is how long the same error is not logged again: a full disk is
// one for every batch that a producer tries.
const repeatAfter = time.Minute

// clusterLogger passes kfake's lines on at debug, but for those about the disk,
// which are errors: kfake logs them as errors or warnings and returns none, not
// even from Close, so this is also where they are caught.
type clusterLogger struct {
	to *slog.Logger

	mu         sync.Mutex
	collecting bool
	errs       []error
	logged     map[string]time.Time // by text, at most one a distinct text in repeatAfter
}

// Logf implements [kfake.Logger].
func (l *clusterLogger) Logf(level kfake.LogLevel, msg string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(msg, args...))
	if !aboutTheDisk(level, msg) {
		l.to.Debug("dev broker: " + text)
		return
	}
	if l.take(text) {
		l.to.Error("dev broker: " + text)
	}
}

// aboutTheDisk reports whether a line says that something was not written, or not
// as it should be. Those that kfake calls warnings are known by their words.
func aboutTheDisk(level kfake.LogLevel, msg string) bool {
	if level != kfake.LogLevelWarn {
		return level == kfake.LogLevelError
	}
	for _, word := range []string{"persist", "corrupt", "truncat", "rebuildSegments", "compact "} {
		if strings.Contains(msg, word) {
			return true
		}
	}
	return false
}

// take keeps an error for [clusterLogger.collected], or reports whether to log it.
func (l *clusterLogger) take(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.collecting {
		l.errs = append(l.errs, errors.New(text))
		return false
	}
	now := time.Now()
	for old, at := range l.logged {
		if now.Sub(at) >= repeatAfter {
			delete(l.logged, old)
		}
	}
	if _, ok := l.logged[text]; ok {
		return false
	}
	if l.logged == nil {
		l.logged = map[string]time.Time{}
	}
	l.logged[text] = now
	return true
}

// collectErrors keeps errors from now on instead of logging them.
func (l *clusterLogger) collectErrors() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collecting = true
}

func (l *clusterLogger) collected() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}
