package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
)

func TestHopeless(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want bool
	}{
		"a topic of another policy": {&store.TopicError{Msg: "cleanup.policy"}, true},
		"refused by the group":      {&refused{errors.New("taken")}, true},
		"login":                     {kerr.SaslAuthenticationFailed, true},
		"mechanism":                 {kerr.UnsupportedSaslMechanism, true},
		"permission on a topic":     {kerr.TopicAuthorizationFailed, true},
		"permission on the group":   {kerr.GroupAuthorizationFailed, true},
		"a topic that was deleted":  {errors.New("reading topic x: it was deleted"), false},
		"no broker":                 {&net.OpError{Op: "dial", Err: io.EOF}, false},
		"too late":                  {context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hopeless(fmt.Errorf("starting: %w", row.err)); got != row.want {
				t.Errorf("hopeless is %v, want %v", got, row.want)
			}
		})
	}
}

func TestExplainLogin(t *testing.T) {
	props := map[string]string{"bootstrap.servers": "b:9092"}
	for name, row := range map[string]struct {
		err error
		say []string
	}{
		"refused":       {kerr.SaslAuthenticationFailed, []string{"Kafka at b:9092 refuses", "sasl.jaas.config", "sasl.mechanism (GSSAPI)", "security.protocol (PLAINTEXT)"}},
		"not a login":   {kerr.TopicAuthorizationFailed, nil},
		"other end":     {&kgo.ErrFirstReadEOF{}, []string{"hangs up", "security.protocol (PLAINTEXT)"}},
		"no connection": {io.ErrUnexpectedEOF, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := fmt.Errorf("x: %w", row.err)
			got := explainLogin(err, props)
			if row.say == nil && got.Error() != err.Error() {
				t.Errorf("it says %v", got)
			}
			for _, s := range row.say {
				if !strings.Contains(got.Error(), s) || !errors.Is(got, row.err) {
					t.Errorf("%v does not say %q", got, s)
				}
			}
		})
	}
}

// TestGate asks while there is no herder.
func TestGate(t *testing.T) {
	g := newGate(cluster.NewHerder(cluster.Options{}))
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Connectors(ctx); cluster.StatusOf(err) != 500 || !strings.Contains(err.Error(), "currently initializing") {
			t.Errorf("who cannot wait is answered %v", err)
		}
		if h := g.Health(ctx); h.Status != "starting" {
			t.Errorf("health is %v", h)
		}
		got := make(chan *cluster.Herder)
		go func() { got <- g.get(t.Context()) }()
		h := cluster.NewHerder(cluster.Options{})
		g.open(h)
		if <-got != h {
			t.Error("who waits gets another herder")
		}
		g.shut()
		g.shut() // a second time is the same
	}
}
