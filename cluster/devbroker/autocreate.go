package devbroker

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// createTimeout bounds how long a metadata request waits for its topics; after
// it, the client is told that they do not exist, and asks again.
const createTimeout = 5 * time.Second

// autoCreate returns a function that creates those of some topics that do not
// exist. kfake could do it by itself, but does not write a topic that came about
// in this way to the disk before something else makes it write: after a crash the
// topic would be gone, and with it every record.
//
// Topics that cannot be created, such as one whose name is too like another's, are
// left to the answer that kfake gives.
func autoCreate(ctx context.Context, admin *kadm.Client, logger *slog.Logger) func(topics []string) {
	return func(topics []string) {
		ctx, cancel := context.WithTimeout(ctx, createTimeout)
		defer cancel()
		known, err := admin.ListTopicsWithInternal(ctx, topics...)
		if err != nil {
			logger.Debug("dev broker: looking for topics that a client asks for", "err", err)
			return
		}
		var missing []string
		for _, t := range topics {
			if !known.Has(t) {
				missing = append(missing, t)
			}
		}
		if len(missing) == 0 {
			return
		}
		created, err := admin.CreateTopics(ctx, -1, -1, nil, missing...)
		if err == nil {
			err = created.Error()
		}
		if err != nil {
			logger.Debug("dev broker: creating topics that a client asks for", "err", err)
		}
	}
}
