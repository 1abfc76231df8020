package cluster

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/troupeio/troupe/connectors"
)

// TestAgain: a write whose first attempt may have been carried out is carried out again
// only if the connector has not changed since. If it is as the write wants it, nothing is
// written and that is the answer; else somebody else has been there, and nobody knows.
func TestAgain(t *testing.T) {
	old, wanted, other := map[string]string{"v": "old"}, map[string]string{"v": "wanted"}, map[string]string{"v": "other"}
	put := func(ctx context.Context, h *Herder) error {
		info, created, err := h.PutConnector(ctx, "c", wanted, nil, true)
		if err == nil && (created || !maps.Equal(info.Config, wanted)) {
			t.Errorf("answered %v, created %v", info, created)
		}
		return err
	}
	pause := func(ctx context.Context, h *Herder) error { return h.Pause(ctx, "c") }
	stop := func(ctx context.Context, h *Herder) error { return h.StopConnector(ctx, "c") }
	remove := func(ctx context.Context, h *Herder) error { return h.DeleteConnector(ctx, "c") }
	type step func(ctx context.Context, h *Herder) error
	config := func(v map[string]string) step {
		return func(ctx context.Context, h *Herder) error { return h.Configs.PutConnector(ctx, "c", v, nil) }
	}
	target := func(s connectors.TargetState) step {
		return func(ctx context.Context, h *Herder) error { return h.Configs.PutTargetState(ctx, "c", s) }
	}
	for _, row := range []struct {
		name   string
		ask    step
		before []step // after the node that was asked had looked
		writes bool
		status int
	}{
		{"put: not carried out", put, nil, true, 200},
		{"put: mended", put, []step{config(old)}, true, 200},
		{"put: carried out", put, []step{config(wanted)}, false, 200},
		{"put: carried out, then another's", put, []step{config(wanted), config(other)}, false, 500},
		{"put: another's", put, []step{config(other)}, false, 500},
		{"put: carried out, then another's that takes it back", put, []step{config(wanted), config(old)}, false, 500},
		{"put: another's pause", put, []step{target(connectors.Paused)}, false, 500},
		{"put: deleted meanwhile", put, []step{remove}, false, 500},
		{"pause: not carried out", pause, nil, true, 200},
		{"pause: carried out", pause, []step{target(connectors.Paused)}, false, 200},
		{"pause: carried out, then another's resume", pause, []step{target(connectors.Paused), target(connectors.Started)}, false, 500},
		{"stop: not carried out", stop, nil, true, 200},
		{"stop: carried out", stop, []step{stop}, false, 200},
		{"stop: another's pause", stop, []step{target(connectors.Paused)}, false, 500},
		{"delete: not carried out", remove, nil, true, 200},
		{"delete: carried out", remove, []step{remove}, false, 200},
		{"delete: carried out, and created anew", remove, []step{remove, config(other)}, false, 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, nil)
			ctx := t.Context()
			if err := r.Configs.PutConnector(ctx, "c", old, nil); err != nil {
				t.Fatal(err)
			}
			at := &Attempt{Base: r.Configs.Snapshot().Changed("c"), Again: true}
			for _, s := range row.before {
				if err := s(ctx, r.Herder); err != nil {
					t.Fatal(err)
				}
			}
			state := func() string {
				s := r.Configs.Snapshot()
				target, _ := s.TargetState("c")
				return fmt.Sprint(s.Contains("c"), s.ConfigOffset("c"), target)
			}
			before := state()
			err := row.ask(WithAttempt(ctx, at), r.Herder)
			if status(err) != row.status || state() != before != row.writes {
				t.Errorf("%v; before %s, after %s", err, before, state())
			}
			if err != nil && !strings.Contains(err.Error(), "may or may not have been carried out") {
				t.Error(err)
			}
		})
	}
}
