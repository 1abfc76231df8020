package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// loginWait bounds the question whether Kafka lets a client in. Brokers that do
// not answer are no reason to fail: the client goes on trying.
const loginWait = 10 * time.Second

// logIn makes a new client connect if it has to authenticate: a client that is
// refused would try again for as long as a record or a poll may wait, and say
// nothing. role is producer or consumer, as in the names of settings.
func logIn(ctx context.Context, client *kgo.Client, props map[string]string, role string) error {
	if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(props["security.protocol"])), "SASL") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginWait)
	defer cancel()
	err := client.Ping(ctx)
	for _, refusal := range []error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState} {
		if errors.Is(err, refusal) {
			return configurationError(fmt.Sprintf("Kafka at %s refuses the %s's login; it is set by %s.override.sasl.* in the connector's configuration, else by %s.sasl.* or sasl.* in the worker's",
				props["bootstrap.servers"], role, role, role), err)
		}
	}
	return nil
}
