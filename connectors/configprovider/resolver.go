// Package configprovider replaces references such as ${file:/path:key} in
// configurations by what config providers say. It may import codec/properties,
// codec/javaregex and connectors.
package configprovider

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/troupeio/troupe/connectors"
)

// Provider looks up values. Kafka's interface is
// org.apache.kafka.common.config.provider.ConfigProvider.
//
// A resolver calls Get from whichever goroutines call [Resolver.Resolve], so it
// must be safe for concurrent use.
type Provider interface {
	// Get returns the values of those of keys that the provider has at path, and
	// how long they are good for; a negative time means that they do not run
	// out. A key that is left out leaves its reference as it stands. An error
	// fails whatever the configuration is for, so only what makes the answer
	// unknown is one.
	Get(ctx context.Context, path string, keys []string) (values map[string]string, ttl time.Duration, err error)
}

// NoTTL is the time to live of values that do not run out.
const NoTTL time.Duration = -1

// Factory makes a provider from its params: the settings
// config.providers.<alias>.param.<name> by name. prefix is what stands before
// the names, for error messages.
type Factory func(params map[string]string, prefix string) (Provider, error)

// Resolver holds the providers that a worker's config.providers names. It is not
// changed after [New], so any number of goroutines may use it.
//
// It never logs or puts into an error what a provider returned.
type Resolver struct {
	providers map[string]Provider // by alias
}

// Option is an extra argument of [New].
type Option func(*options)

type options struct {
	logger  *slog.Logger
	environ []string
	classes map[string]Factory
}

// WithLogger sets where warnings go, such as that a path is not allowed. Without
// it there are none.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithEnviron sets the variables, as os.Environ has them, that the environment
// provider sees instead of the process's own.
func WithEnviron(env []string) Option { return func(o *options) { o.environ = env } }

// WithClass adds a provider under a class name of its own.
func WithClass(name string, f Factory) Option { return func(o *options) { o.classes[name] = f } }

// New makes the providers of config.providers. Errors are configuration errors
// that name the setting: an unknown class, or a param that the provider refuses.
// An alias without a class is left out with a warning, as Kafka Connect leaves
// it out; its references stay as they stand.
//
// A worker's own settings may hold references too; params that do are only
// usable in a second resolver, made from the settings that the first resolved.
func New(workerProps map[string]string, opts ...Option) (*Resolver, error) {
	o := options{logger: slog.New(slog.DiscardHandler), environ: os.Environ(), classes: map[string]Factory{}}
	for _, opt := range opts {
		opt(&o)
	}
	r := &Resolver{providers: map[string]Provider{}}
	for alias := range strings.SplitSeq(workerProps["config.providers"], ",") {
		alias = strings.TrimSpace(alias)
		if alias == "" {
			continue
		}
		prefix := "config.providers." + alias + "."
		class, ok := workerProps[prefix+"class"]
		if !ok {
			o.logger.Warn("config provider has no class, its references are left as they stand", "provider", alias, "setting", prefix+"class")
			continue
		}
		factory := o.factory(strings.TrimSpace(class))
		if factory == nil {
			return nil, connectors.ConfigError("Invalid value %s for configuration %sclass: Class %s could not be found.", class, prefix, class)
		}
		params := map[string]string{}
		for key, value := range workerProps {
			if name, ok := strings.CutPrefix(key, prefix+"param."); ok {
				params[name] = value
			}
		}
		provider, err := factory(params, prefix+"param.")
		if err != nil {
			return nil, err
		}
		r.providers[alias] = provider
	}
	return r, nil
}

// factory returns the provider of a class by its full name, its simple name or
// its simple name without "ConfigProvider"; nil if there is none.
func (o *options) factory(class string) Factory {
	if f := o.classes[class]; f != nil {
		return f
	}
	const pkg, suffix = "org.apache.kafka.common.config.provider.", "ConfigProvider"
	name := strings.TrimPrefix(class, pkg)
	switch strings.TrimSuffix(name, suffix) {
	case "File":
		return o.newFile
	case "Directory":
		return o.newDirectory
	case "EnvVar":
		return o.newEnvVar
	}
	return nil
}

// place is where a reference's key is looked up.
type place struct{ provider, path string }

// Resolve returns a copy of config with its references replaced, and for each
// path whose provider says so how long the values are good for. It makes a
// single pass: references in what a provider returns stay.
//
// References to providers or keys that do not exist stay as well. An error is
// that of a provider, and says nothing about the value that was asked for.
func (r *Resolver) Resolve(ctx context.Context, config map[string]string) (map[string]string, map[string]time.Duration, error) {
	wanted := map[place]map[string]struct{}{}
	for _, value := range config {
		for _, ref := range references(value) {
			if r.providers[ref.provider] == nil {
				continue
			}
			at := place{ref.provider, ref.path}
			if wanted[at] == nil {
				wanted[at] = map[string]struct{}{}
			}
			wanted[at][ref.key] = struct{}{}
		}
	}

	found := map[place]map[string]string{}
	ttls := map[string]time.Duration{}
	for _, at := range slices.SortedFunc(maps.Keys(wanted), comparePlaces) {
		keys := slices.Sorted(maps.Keys(wanted[at]))
		values, ttl, err := r.providers[at.provider].Get(ctx, at.path, keys)
		if err != nil {
			return nil, nil, err
		}
		found[at] = values
		if ttl >= 0 {
			ttls[at.path] = ttl
		}
	}

	resolved := make(map[string]string, len(config))
	for key, value := range config {
		resolved[key] = replace(value, found)
	}
	return resolved, ttls, nil
}

// comparePlaces gives lookups a fixed order, so that of several failing ones it
// is always the same that is reported.
func comparePlaces(a, b place) int {
	if c := strings.Compare(a.provider, b.provider); c != 0 {
		return c
	}
	return strings.Compare(a.path, b.path)
}

func replace(value string, found map[place]map[string]string) string {
	refs := references(value)
	if len(refs) == 0 {
		return value
	}
	var b strings.Builder
	done := 0
	for _, ref := range refs {
		b.WriteString(value[done:ref.start])
		if v, ok := found[place{ref.provider, ref.path}][ref.key]; ok {
			b.WriteString(v)
		} else {
			b.WriteString(value[ref.start:ref.end])
		}
		done = ref.end
	}
	b.WriteString(value[done:])
	return b.String()
}
