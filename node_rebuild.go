package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/store"
)

// The bound on failures of a node's core: so many within such a time and the process
// ends, since making it again does not help.
const (
	maxFailures   = 3
	failureWindow = time.Minute
)

// startedFor is how long after its start a worker counts as started: what it was
// given has been started too, if it is not much.
const startedFor = 3 * time.Second

// exitGaveUp is the exit code of a process whose core failed too often.
const exitGaveUp = 1

// wait returns when the process is told to end, or with the error that ends it. Until
// then it makes the core again when a part of it fails.
func (n *node) wait(ctx context.Context) error {
	n.notify(serviceReady)
	defer n.notify(serviceStopping)
	begun := time.NewTimer(startedFor)
	defer begun.Stop()
	for {
		select {
		case <-begun.C:
			// What only the start needed: a quiet worker would keep it for long.
			debug.FreeOSMemory()
			forgetProgram()
		case <-ctx.Done():
			return nil
		case err := <-n.failed:
			return err
		case err := <-n.core.Load().failed:
			if err := n.rebuild(ctx, err); err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
}

// rebuild stops the core and makes it again, from what its topics hold. REST requests
// wait meanwhile. The error ends the process; there is none when ctx ends first.
func (n *node) rebuild(ctx context.Context, cause error) error {
	for {
		if hopeless(cause) {
			return cause
		}
		now := time.Now()
		if n.failures.add(now) {
			return &fatal{exitGaveUp, fmt.Errorf("a part of the worker failed %d times within %s, so the worker gives up; the last failure: %w", maxFailures, failureWindow, cause)}
		}
		n.log.Error("A part of the worker failed; stores, herder and worker are made again from the internal topics", "err", cause)
		n.herder.shut()
		if c := n.core.Swap(nil); c != nil {
			if err := c.stop(time.Second); err != nil {
				n.log.Warn("stopping what failed left something undone", "err", err)
			}
		}
		c, err := n.newCore(ctx)
		if err == nil {
			n.core.Store(c)
			n.herder.open(c.herder)
			n.log.Info("The worker runs again", "after", time.Since(now).Round(time.Millisecond))
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		cause = err
	}
}

// failures are the times of the latest failures, oldest first.
type failures []time.Time

// add counts a failure and reports whether it is one too many.
func (f *failures) add(now time.Time) bool {
	recent := (*f)[:0]
	for _, t := range *f {
		if now.Sub(t) < failureWindow {
			recent = append(recent, t)
		}
	}
	*f = append(recent, now)
	return len(*f) >= maxFailures
}

// refused is the group's verdict that this node may not be here.
type refused struct{ error }

// Unwrap returns the reason.
func (r *refused) Unwrap() error { return r.error }

// hopeless reports whether an error is one that the next start would meet again until
// somebody changes the configuration or Kafka's permissions.
func hopeless(err error) bool {
	var unfit *store.TopicError
	var notHere *refused
	if errors.As(err, &unfit) || errors.As(err, &notHere) || loginRefused(err) {
		return true
	}
	for _, denied := range []error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed} {
		if errors.Is(err, denied) {
			return true
		}
	}
	return false
}

func loginRefused(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.UnsupportedSaslMechanism) || errors.Is(err, kerr.IllegalSaslState)
}

// explainLogin says which of a worker's settings decide how it logs in, if that is
// what Kafka did not like.
func explainLogin(err error, props map[string]string) error {
	protocol := props["security.protocol"]
	if protocol == "" {
		protocol = "PLAINTEXT"
	}
	var hungUp *kgo.ErrFirstReadEOF
	switch {
	case loginRefused(err):
		return fmt.Errorf("Kafka at %s refuses this worker's login; it is set by sasl.jaas.config, sasl.mechanism (%s) and security.protocol (%s) in the worker's properties: %w",
			props["bootstrap.servers"], saslMechanism(props), protocol, err)
	case errors.As(err, &hungUp):
		return fmt.Errorf("Kafka at %s hangs up on this worker's connections; see that security.protocol (%s) in the worker's properties is the listener's, and with SASL that sasl.mechanism and sasl.jaas.config are right: %w",
			props["bootstrap.servers"], protocol, err)
	}
	return err
}

func saslMechanism(props map[string]string) string {
	if m := props["sasl.mechanism"]; m != "" {
		return m
	}
	return "GSSAPI"
}
