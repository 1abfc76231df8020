package worker

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

// subscription makes the options for topics or topics.regex. watch is not nil when
// topics are to be added while the client runs.
func subscription(config map[string]string, excludeInternal bool, log *slog.Logger) (opts []kgo.Opt, watch func(context.Context, *kgo.Client) error, err error) {
	topics, regex := list(config["topics"]), strings.TrimSpace(config["topics.regex"])
	switch {
	case len(topics) > 0 && regex != "":
		return nil, nil, connectors.ConfigError("topics and topics.regex are mutually exclusive options, but both are set.")
	case len(topics) > 0:
		return []kgo.Opt{kgo.ConsumeTopics(topics...)}, nil, nil
	case regex == "":
		return nil, nil, connectors.ConfigError("Must configure one of topics or topics.regex")
	}
	pattern, err := javaregex.Compile(regex)
	if err != nil {
		return nil, nil, connectors.ConfigError("Invalid value %s for configuration topics.regex: Invalid regex: %v", regex, err)
	}
	// Where Go's engine takes the pattern the client evaluates it itself: it finds the
	// same matches as Java's. It always passes over internal topics.
	full := "^(?:" + regex + ")$"
	if _, err := regexp.Compile(full); err == nil && excludeInternal {
		return []kgo.Opt{kgo.ConsumeRegex(), kgo.ConsumeTopics(full)}, nil, nil
	}
	w := &topicWatch{pattern: pattern, excludeInternal: excludeInternal, log: log, have: make(map[string]bool)}
	return nil, w.run, nil
}

// topicWatch adds the topics whose names a Java pattern matches to a consumer, as
// they come. Topics that are deleted stay in its subscription, as those of a list do.
type topicWatch struct {
	pattern         *javaregex.Pattern
	excludeInternal bool
	log             *slog.Logger
	have            map[string]bool
}

// watchRetry is how long to wait after the brokers could not be asked.
const watchRetry = time.Second

// run asks for the brokers' topics at every metadata.max.age.ms until ctx ends.
func (w *topicWatch) run(ctx context.Context, client *kgo.Client) error {
	every, _ := client.OptValue(kgo.MetadataMaxAge).(time.Duration)
	for {
		next := every
		if err := w.add(ctx, client); err != nil && ctx.Err() == nil {
			w.log.Warn("asking for the topics that topics.regex matches failed and is tried again", "err", err)
			next = min(every, watchRetry)
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

func (w *topicWatch) add(ctx context.Context, client *kgo.Client) error {
	topics, err := kadm.NewClient(client).ListTopicsWithInternal(ctx)
	if err != nil {
		return err
	}
	var found []string
	for name, d := range topics {
		if d.Err != nil || d.IsInternal && w.excludeInternal || w.have[name] {
			continue
		}
		ok, err := w.pattern.Match(name)
		if err != nil {
			w.log.Warn("topics.regex takes too long for a topic, which is left out", "topic", name, "err", err)
		}
		if ok {
			found = append(found, name)
			w.have[name] = true
		}
	}
	if len(found) > 0 {
		slices.Sort(found)
		w.log.Info("topics.regex matches more topics", "topics", found)
		client.AddConsumeTopics(found...)
	}
	return nil
}
