package kafkaclient

import (
	"context"
	"log/slog"
)

// warnings passes on what is at least a warning. franz-go asks the logger for its
// level and spares itself the rest, so that a worker at debug isn't flooded by its
// clients.
func warnings(log *slog.Logger) *slog.Logger { return slog.New(atWarn{log.Handler()}) }

type atWarn struct{ slog.Handler }

func (h atWarn) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h atWarn) WithAttrs(attrs []slog.Attr) slog.Handler { return atWarn{h.Handler.WithAttrs(attrs)} }
func (h atWarn) WithGroup(name string) slog.Handler       { return atWarn{h.Handler.WithGroup(name)} }
