package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// restAttempt bounds one look at a REST interface that may not answer yet.
const restAttempt = 5 * time.Second

// runFirstRecord measures what somebody waits for who tries a worker out: from the
// start of the process, in a worker group that the broker has never seen and
// without config, offset and status topics, until the first record of a
// FileStreamSource is in its topic, which is absent too. The connector is POSTed
// as soon as GET /connectors answers 200.
//
// The broker has run before. __consumer_offsets, which it makes once in its life,
// is made beforehand, or the first arm alone would pay for it.
func runFirstRecord(ctx context.Context, e *env, arm string) (metrics, error) {
	in, err := e.inputFile(1, lineLength)
	if err != nil {
		return nil, err
	}
	if err := e.ensureGroups(ctx); err != nil {
		return nil, err
	}
	group, topic, name := e.name("group"), e.name("topic"), e.name("connector")
	defer e.deleteTopic(topic)
	begin := time.Now()
	w, err := e.startWorker(ctx, arm, group, nil)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.waitREST(ctx); err != nil {
		return nil, err
	}
	ready := time.Since(begin)
	if err := w.create(ctx, name, fileSource(in, topic)); err != nil {
		return nil, err
	}
	created := time.Since(begin)
	check := func(ctx context.Context) error { return w.check(ctx, name) }
	if err := e.waitTopic(ctx, topic, 1, check); err != nil {
		return nil, fmt.Errorf("waiting for the first record: %w; the end of the worker's log:\n%s", err, w.proc.Tail(10))
	}
	first := time.Since(begin)
	if err := plain.checkTopic(ctx, e.addr, topic, 1, lineLength); err != nil {
		return nil, err
	}
	return metrics{"ready": ready.Seconds(), "created": created.Seconds(), "first": first.Seconds()}, nil
}

// ensureGroups makes the broker create __consumer_offsets and waits until it
// coordinates groups.
func (e *env) ensureGroups(ctx context.Context) error {
	for {
		err := e.admin.FindGroupCoordinators(ctx, "bench").Error()
		if err == nil {
			return nil
		}
		if perr := pause(ctx, 50*time.Millisecond); perr != nil {
			return fmt.Errorf("waiting for the group coordinator: %w", errors.Join(perr, err))
		}
	}
}

// waitREST is [worker.waitReady] with a look every few milliseconds: its own pause
// would be a good part of what Troupe's start takes.
func (w *worker) waitREST(ctx context.Context) error {
	look := func() (int, error) {
		ctx, cancel := context.WithTimeout(ctx, restAttempt)
		defer cancel()
		code, _, err := w.do(ctx, http.MethodGet, "/connectors", nil)
		return code, err
	}
	for {
		code, err := look()
		if err == nil && code == http.StatusOK {
			return nil
		}
		if !w.proc.Running() {
			return fmt.Errorf("waiting for the worker: it ended; the end of its log:\n%s", w.proc.Tail(20))
		}
		if perr := pause(ctx, countEvery); perr != nil {
			return fmt.Errorf("waiting for the worker: last answer %d: %w", code, errors.Join(perr, err))
		}
	}
}
