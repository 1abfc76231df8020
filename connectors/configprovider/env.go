package configprovider

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

const allowlistParam = "allowlist.pattern"

// envProvider is
// org.apache.kafka.common.config.provider.EnvVarConfigProvider: key is an
// environment variable, as it was when the worker started.
type envProvider struct {
	vars   map[string]string // those that the allow list lets through
	logger *slog.Logger
}

func (o *options) newEnvVar(params map[string]string, prefix string) (Provider, error) {
	allowed := func(string) bool { return true }
	if pattern, ok := params[allowlistParam]; ok {
		re, err := javaregex.Compile(pattern)
		if err != nil {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s%s: %w", pattern, prefix, allowlistParam, err)
		}
		allowed = re.MatchString
	}
	p := &envProvider{vars: map[string]string{}, logger: o.logger}
	for _, entry := range o.environ {
		if name, value, ok := strings.Cut(entry, "="); ok && allowed(name) {
			p.vars[name] = value
		}
	}
	return p, nil
}

// Get implements [Provider]; the path must be empty.
func (p *envProvider) Get(_ context.Context, path string, keys []string) (map[string]string, time.Duration, error) {
	if path != "" {
		p.logger.Error("Path is not supported for EnvVarConfigProvider, invalid value '" + path + "'")
		return nil, NoTTL, connectors.ConfigError("Path is not supported for EnvVarConfigProvider, invalid value '%s'", path)
	}
	values := map[string]string{}
	for _, key := range keys {
		if v, ok := p.vars[key]; ok {
			values[key] = v
		}
	}
	return values, NoTTL, nil
}
