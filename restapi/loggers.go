package restapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/troupeio/troupe/cluster"
)

// LoggerLevel is one logger's level; Modified is 0 for one that was never set.
type LoggerLevel struct {
	Level    string
	Modified int64 // epoch ms
}

// Loggers are the levels of this process's log, by names as log4j has them.
type Loggers interface {
	All() map[string]LoggerLevel
	Level(name string) (LoggerLevel, bool)
	// Set changes the level of a logger and of all known ones whose name begins with
	// its, and returns those that changed, sorted. level is one of Kafka's, in upper
	// case.
	Set(name, level string) []string
}

var levels = map[string]bool{"OFF": true, "FATAL": true, "ERROR": true, "WARN": true, "INFO": true, "DEBUG": true, "TRACE": true, "ALL": true}

type levelBody struct {
	Level    string `json:"level"`
	Modified *int64 `json:"last_modified"`
}

func levelOf(l LoggerLevel) levelBody {
	b := levelBody{Level: l.Level}
	if l.Modified != 0 {
		b.Modified = &l.Modified
	}
	return b
}

func (a *api) listLoggers(w http.ResponseWriter, _ *request) {
	out := make(map[string]levelBody)
	for n, l := range a.loggers.All() {
		out[n] = levelOf(l)
	}
	writeJSON(w, http.StatusOK, out)
}

func (a *api) logger(w http.ResponseWriter, r *request) {
	l, ok := a.loggers.Level(r.vars["logger"])
	if !ok {
		writeError(w, http.StatusNotFound, "Logger "+r.vars["logger"]+" not found.")
		return
	}
	writeJSON(w, http.StatusOK, levelOf(l))
}

func (a *api) setLogger(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		b, err := readBody(r)
		if err != nil {
			return err
		}
		if b == nil {
			return cluster.Errorf(http.StatusBadRequest, `The request's body is empty; {"level": ...} is expected`)
		}
		var m map[string]json.RawMessage
		if err := decode(b, &m); err != nil {
			return err
		}
		var level *text
		if raw, ok := m["level"]; ok {
			if err := decode(raw, &level); err != nil {
				return err
			}
		}
		if level == nil {
			return cluster.Errorf(http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
		}
		if *level == "" {
			return cluster.Errorf(http.StatusBadRequest, "Illegal null or empty Level name.")
		}
		up := strings.ToUpper(string(*level))
		if !levels[up] {
			return cluster.Errorf(http.StatusNotFound, "invalid log level '%s'.", *level)
		}
		name := r.vars["logger"]
		if strings.EqualFold(r.query.Get("scope"), "cluster") {
			if err := a.herder.SetClusterLogLevel(ctx, name, up); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		changed := a.loggers.Set(name, up)
		if changed == nil {
			changed = []string{}
		}
		writeJSON(w, http.StatusOK, changed)
		return nil
	})
}
