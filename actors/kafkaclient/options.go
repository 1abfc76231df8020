package kafkaclient

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/plugin/kslog"
)

// Env is what the options take from the process rather than from properties. The
// zero value is usable.
type Env struct {
	// Logger gets the client's warnings and errors; nil drops them.
	Logger *slog.Logger
	// ClientID is used where client.id is not set.
	ClientID string
	// DialContext replaces the TCP dialer, under TLS where that is on.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TopicMaxBytes tells a topic's max.message.bytes, or 0 when it isn't known. A
	// producer keeps its batches below it, so that a max.request.size that was
	// raised for the sake of one topic doesn't make batches that others refuse. It
	// is called once for each topic and must not block for long. Nil: none is known.
	TopicMaxBytes func(topic string) int32
	// Getenv replaces os.Getenv, which is asked for KRB5_CONFIG and the AWS
	// variables.
	Getenv func(string) string
}

// Result is what [Options] makes of a client's properties.
type Result struct {
	// Opts are the options for kgo.NewClient. They may be used for one client only:
	// a login can carry state.
	Opts []kgo.Opt
	// Settings are the values for which the client has no option, or which the
	// caller needs as well.
	Settings Settings
	// Report lists the properties that change nothing.
	Report Report
}

// Settings are effective values, defaults included. Fields of other kinds of client
// are zero.
type Settings struct {
	BootstrapServers []string
	ClientID         string
	RequestTimeout   time.Duration
	// DefaultAPITimeout bounds one operation with its retries (consumer, admin).
	DefaultAPITimeout time.Duration

	// MaxBlock is how long Produce may block before the record fails (max.block.ms);
	// 1<<63-1 means for ever.
	MaxBlock time.Duration
	// DeliveryTimeout is delivery.timeout.ms; 0 means without limit.
	DeliveryTimeout time.Duration
	Idempotent      bool
	TransactionalID string
	// MaxRequestSize is the largest record in bytes.
	MaxRequestSize int

	GroupID         string
	GroupInstanceID string
	// MaxPollRecords is the most records that one poll may return.
	MaxPollRecords  int
	MaxPollInterval time.Duration
	// AutoCommit says that the client commits by itself.
	AutoCommit            bool
	ExcludeInternalTopics bool
	// ReadCommitted says that records of open or aborted transactions are not seen.
	ReadCommitted bool
}

// Report lists properties that were given and change nothing, each sorted.
type Report struct {
	// Unknown names belong to no property of this client.
	Unknown []string
	// NoEffect names are understood; [Lookup] tells why they change nothing.
	NoEffect []string
}

// Log writes at most one line for each of the two lists.
func (r Report) Log(ctx context.Context, log *slog.Logger) {
	if len(r.Unknown) > 0 {
		log.WarnContext(ctx, "these client properties are not known and are not used", "properties", r.Unknown)
	}
	if len(r.NoEffect) > 0 {
		log.InfoContext(ctx, "these client properties have no effect here", "properties", r.NoEffect)
	}
}

// Options builds the options of a client from its effective properties, see
// [ProducerProps] and its neighbours. The error joins everything that is wrong, a
// [*ConfigError] each, and no text contains a secret.
//
// Files that the properties name (key stores, key tabs) are read here; token
// endpoints are first asked when a connection needs a login.
func Options(kind Kind, props map[string]string, env Env) (Result, error) {
	b := &build{kind: kind, props: props, env: env, values: map[string]value{}}
	if b.env.Getenv == nil {
		b.env.Getenv = osGetenv
	}
	entries := b.read()
	for i := range entries {
		if entries[i].set != nil {
			entries[i].set(b, b.values[entries[i].Name])
		}
	}
	b.finish()
	if len(b.errs) > 0 {
		return Result{Report: b.out.Report}, errors.Join(b.errs...)
	}
	return b.out, nil
}

// Validate checks properties without keeping what they build. It is for the
// validate endpoint and for a connector's start; it reads the same files as
// [Options].
func Validate(kind Kind, props map[string]string) error {
	_, err := Options(kind, props, Env{})
	return err
}

// build is one call of [Options].
type build struct {
	kind   Kind
	props  map[string]string
	env    Env
	values map[string]value // of all properties of the kind
	out    Result
	errs   []error

	dialTimeout time.Duration
	secure      bool // TLS
	mechanism   sasl.Mechanism
}

// read parses every property of the kind and returns the rows in order.
func (b *build) read() []Entry {
	var entries []Entry
	known := map[string]bool{}
	for _, e := range table() {
		if !e.kinds.has(b.kind) {
			continue
		}
		entries = append(entries, e)
		known[e.Name] = true
		b.values[e.Name] = e.fallback()
		text, ok := b.props[e.Name]
		if !ok {
			continue
		}
		v, err := e.parse(text)
		if err == nil && e.check != nil {
			err = e.check(&e, v)
		}
		if err != nil {
			b.errs = append(b.errs, err)
			continue
		}
		b.values[e.Name] = v
		if e.Effect == NoEffect {
			b.out.Report.NoEffect = append(b.out.Report.NoEffect, e.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.props)) {
		// Kafka Connect itself puts the metrics context into every client.
		if !known[name] && !strings.HasPrefix(name, "metrics.context.") {
			b.out.Report.Unknown = append(b.out.Report.Unknown, name)
		}
	}
	slices.Sort(b.out.Report.NoEffect)
	return entries
}

func (b *build) add(opts ...kgo.Opt) { b.out.Opts = append(b.out.Opts, opts...) }

func (b *build) fail(err *ConfigError) { b.errs = append(b.errs, err) }

// finish adds what doesn't hang on one property.
func (b *build) finish() {
	if b.env.Logger != nil {
		b.add(kgo.WithLogger(kslog.New(warnings(b.env.Logger))))
	}
	if b.kind == Producer {
		b.add(kgo.AllowAutoTopicCreation())
	}
	b.dialer()
	if b.mechanism != nil {
		b.add(kgo.SASL(b.mechanism))
	}
}

// dialer sets how connections are made. franz-go's own dialer is kept where nothing
// replaces it: it names the broker's host in the TLS handshake by itself.
func (b *build) dialer() {
	tlsConfig := b.tls()
	if b.env.DialContext == nil {
		b.add(kgo.DialTimeout(b.dialTimeout))
		if tlsConfig != nil {
			b.add(kgo.DialTLSConfig(tlsConfig))
		}
		return
	}
	b.add(kgo.Dialer(dialThrough(b.env.DialContext, tlsConfig, b.dialTimeout)))
}

// millis is n milliseconds, held to the longest duration where that overflows: Java's
// Long.MAX_VALUE is the usual way to write "for ever".
func millis(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	if n > most {
		return 1<<63 - 1
	}
	return time.Duration(n) * time.Millisecond
}

func clamp(d, low, high time.Duration) time.Duration { return max(low, min(d, high)) }
