package transforms

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// tombstoneHandler deals with records whose value is null, and says so in the log.
type tombstoneHandler struct {
	fail  bool
	level slog.Level
	log   *slog.Logger

	told   time.Time // when the last line was written
	untold int       // tombstones since
}

// tombstonePause is the shortest time between two lines of one task: a topic may be
// full of tombstones, and each is counted anyway.
const tombstonePause = 10 * time.Second

var (
	_ connectors.Transformation = (*tombstoneHandler)(nil)
	_ connectors.Logging        = (*tombstoneHandler)(nil)
)

func tombstoneHandlerSpec() spec {
	return spec{
		name: "TombstoneHandler",
		keys: []configdef.Key{{Name: "behavior", Type: configdef.String, Default: "warn", Importance: configdef.Medium,
			Validator: configdef.OneOfAnyCase("warn", "ignore", "fail"),
			Doc: "What becomes of a record whose value is null: `fail` is an error, `warn` and `ignore` drop it. " +
				"`warn` logs it as a warning, the others at debug; a line at most every 10 seconds, with the number of those since the last one."}},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			t := &tombstoneHandler{fail: strings.EqualFold(c.String("behavior"), "fail"), level: slog.LevelDebug, log: slog.New(slog.DiscardHandler)}
			if strings.EqualFold(c.String("behavior"), "warn") {
				t.level = slog.LevelWarn
			}
			return t, nil
		},
	}
}

// SetLog implements [connectors.Logging].
func (t *tombstoneHandler) SetLog(log *slog.Logger) { t.log = log }

// Apply implements [connectors.Transformation].
func (t *tombstoneHandler) Apply(r *data.Record) (bool, error) {
	if !r.Value.IsNull() {
		return true, nil
	}
	t.tell(r)
	if t.fail {
		return false, data.Errorf("Tombstone record encountered in topic %s, and behavior is fail", r.Topic)
	}
	return false, nil
}

func (t *tombstoneHandler) tell(r *data.Record) {
	if !t.log.Enabled(context.Background(), t.level) {
		return
	}
	if now := time.Now(); t.told.IsZero() || now.Sub(t.told) >= tombstonePause {
		t.told = now
	} else {
		t.untold++
		return
	}
	// A sink's record is told by its place in Kafka, whatever a transform made of it.
	where := []slog.Attr{slog.String("topic", r.OriginalTopic), slog.Int64("partition", int64(r.OriginalPartition)), slog.Int64("offset", r.OriginalOffset)}
	if !r.Sink {
		where = []slog.Attr{slog.String("topic", r.Topic), slog.String("partition", data.OfMap(r.SourcePartition).String()), slog.String("offset", data.OfMap(r.SourceOffset.Map()).String())}
	}
	if t.untold > 0 {
		where = append(where, slog.Int("others", t.untold))
		t.untold = 0
	}
	t.log.LogAttrs(context.Background(), t.level, "Tombstone record encountered", where...)
}
