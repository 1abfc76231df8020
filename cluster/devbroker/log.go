package devbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// clusterLogger passes kfake's lines on at debug, but for errors, which are about
// the disk. kfake's Close returns none of its errors, it logs them, so this is
// also where they are caught.
type clusterLogger struct {
	to *slog.Logger

	mu         sync.Mutex
	collecting bool
	errs       []error
}

// Logf implements [kfake.Logger].
func (l *clusterLogger) Logf(level kfake.LogLevel, msg string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(msg, args...))
	if level != kfake.LogLevelError {
		l.to.Debug("dev broker: " + text)
		return
	}
	l.mu.Lock()
	collecting := l.collecting
	if collecting {
		l.errs = append(l.errs, errors.New(text))
	}
	l.mu.Unlock()
	if !collecting {
		l.to.Error("dev broker: " + text)
	}
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
