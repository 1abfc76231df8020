package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names of our loggers. They are those of the classes that do the same work in
// Kafka Connect, so that a script which sets org.apache.kafka.connect to DEBUG
// gets what it is after.
const (
	LogWorker   = "org.apache.kafka.connect.runtime.Worker"
	LogHerder   = "org.apache.kafka.connect.runtime.distributed.DistributedHerder"
	LogTask     = "org.apache.kafka.connect.runtime.WorkerTask"
	LogStore    = "org.apache.kafka.connect.storage.KafkaConfigBackingStore"
	LogREST     = "org.apache.kafka.connect.runtime.rest.RestServer"
	LogBroker   = "troupe.devbroker"
	LogRegistry = "troupe.devregistry"
	LogStartup  = "org.apache.kafka.connect.cli.AbstractConnectCli"
)

// Levels of log4j that slog lacks, on slog's scale.
const (
	levelAll   = slog.Level(-128)
	levelTrace = slog.Level(-8)
	levelFatal = slog.Level(12)
	levelOff   = slog.Level(127)
)

var byName = map[string]slog.Level{"ALL": levelAll, "TRACE": levelTrace, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": levelFatal, "OFF": levelOff}

// ParseLevel reads a level's name, in any case.
func ParseLevel(name string) (slog.Level, error) {
	l, ok := byName[strings.ToUpper(name)]
	if !ok {
		return 0, fmt.Errorf("the log level %q is not one of OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE, ALL", name)
	}
	return l, nil
}

func levelName(l slog.Level) string {
	for n, v := range byName {
		if v == l {
			return n
		}
	}
	return l.String()
}

// LevelInfo is a logger's level; Modified is 0 for one that was never set, else
// epoch milliseconds.
type LevelInfo struct {
	Level    string
	Modified int64
}

// Logs makes the process's loggers and holds their levels, which can change while
// it runs. It is safe for concurrent use.
type Logs struct {
	base   slog.Handler
	mu     sync.RWMutex
	levels map[string]*loggerLevel // "root" always
}

type loggerLevel struct {
	level    slog.Level
	modified int64
	set      bool // by Set; else it follows its nearest ancestor
}

// NewLogs writes to w as text or JSON, from the given level on.
func NewLogs(w io.Writer, json bool, level slog.Level) *Logs {
	opts := &slog.HandlerOptions{Level: levelAll, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey && len(groups) == 0 {
			if l, ok := a.Value.Any().(slog.Level); ok {
				a.Value = slog.StringValue(levelName(l))
			}
		}
		return a
	}}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if json {
		h = slog.NewJSONHandler(w, opts)
	}
	return &Logs{base: h, levels: map[string]*loggerLevel{"root": {level: level}}}
}

// Logger returns the logger of a name.
func (l *Logs) Logger(name string) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	ll, ok := l.levels[name]
	if !ok {
		ll = &loggerLevel{level: l.inherited(name)}
		l.levels[name] = ll
	}
	return slog.New(&leveled{Handler: l.base, logs: l, level: ll})
}

// inherited is the level of the nearest ancestor that has one.
func (l *Logs) inherited(name string) slog.Level {
	for {
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return l.levels["root"].level
		}
		name = name[:i]
		if ll, ok := l.levels[name]; ok && ll.set {
			return ll.level
		}
	}
}

// leveled is a handler that asks for its logger's present level.
type leveled struct {
	slog.Handler
	logs  *Logs
	level *loggerLevel
}

// Enabled implements [slog.Handler].
func (h *leveled) Enabled(_ context.Context, level slog.Level) bool {
	h.logs.mu.RLock()
	defer h.logs.mu.RUnlock()
	return level >= h.level.level
}

// WithAttrs implements [slog.Handler].
func (h *leveled) WithAttrs(a []slog.Attr) slog.Handler {
	return &leveled{h.Handler.WithAttrs(a), h.logs, h.level}
}

// WithGroup implements [slog.Handler].
func (h *leveled) WithGroup(n string) slog.Handler {
	return &leveled{h.Handler.WithGroup(n), h.logs, h.level}
}

// All returns the levels of all known loggers.
func (l *Logs) All() map[string]LevelInfo {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make(map[string]LevelInfo, len(l.levels))
	for n, ll := range l.levels {
		out[n] = LevelInfo{levelName(ll.level), ll.modified}
	}
	return out
}

// Level returns one logger's level; ok is false when it is not known.
func (l *Logs) Level(name string) (LevelInfo, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	ll, ok := l.levels[name]
	if !ok {
		return LevelInfo{}, false
	}
	return LevelInfo{levelName(ll.level), ll.modified}, true
}

// Set changes a logger and all known ones whose names begin with its name ("root":
// all) and returns those whose level changed, sorted. A level that is not known
// changes nothing.
func (l *Logs) Set(name, level string) []string {
	to, err := ParseLevel(level)
	if err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UnixMilli()
	var changed []string
	if _, ok := l.levels[name]; !ok {
		// A logger that nobody uses yet has no level of its own until now.
		l.levels[name] = &loggerLevel{level: to, modified: now, set: true}
		changed = append(changed, name)
	}
	for _, n := range slices.Sorted(maps.Keys(l.levels)) {
		if name != "root" && !strings.HasPrefix(n, name) {
			continue
		}
		ll := l.levels[n]
		ll.set = true
		if ll.level == to {
			continue
		}
		ll.level, ll.modified = to, now
		changed = append(changed, n)
	}
	slices.Sort(changed)
	return changed
}
