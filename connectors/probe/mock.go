package probe

import (
	"context"
	"maps"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Settings of Kafka's mock connectors.
const (
	mockModeKey      = "mock_mode"
	mockDelayKey     = "delay_ms"
	connectorFailure = "connector-failure"
	taskFailure      = "task-failure"
)

func mockDef() *configdef.Def {
	return configdef.New(
		configdef.Key{Name: mockModeKey, Type: configdef.String, Default: "none", Importance: configdef.Medium,
			Doc: "What fails: connector-failure, task-failure, or nothing."},
		configdef.Key{Name: mockDelayKey, Type: configdef.Long, Default: 15000, Importance: configdef.Medium, Validator: configdef.AtLeast(0),
			Doc: "After how many milliseconds it fails."},
	)
}

// failLater makes whatever ctx belongs to fail after the delay, if mode is what
// the settings ask for.
func failLater(ctx connectors.Context, config map[string]string, mode string) error {
	v, err := parse(mockDef(), config)
	if err != nil || v.String(mockModeKey) != mode {
		return err
	}
	delay := time.Duration(v.Long(mockDelayKey)) * time.Millisecond
	ctx.Log().Debug("The mock is going to fail", "mode", mode, "delay", delay)
	ctx.Go(func(ctx context.Context) error {
		if !wait(ctx, delay) {
			return nil
		}
		return connectors.Errorf("the mock failed after %v, as %s=%s asks", delay, mockModeKey, mode)
	})
	return nil
}

// mockConnector plans one task and fails on demand.
type mockConnector struct{ config map[string]string }

func (c *mockConnector) Start(_ context.Context, cc connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	return failLater(cc, config, connectorFailure)
}

func (c *mockConnector) TaskConfigs(context.Context, int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(c.config)}, nil
}

func (c *mockConnector) Stop(context.Context) error { return nil }

// mockSource makes no records and fails on demand.
type mockSource struct{}

func (t *mockSource) Start(_ context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	return failLater(tc, config, taskFailure)
}

func (t *mockSource) Poll(ctx context.Context) ([]data.Record, error) {
	wait(ctx, time.Second)
	return nil, nil
}

func (t *mockSource) Stop(context.Context) error { return nil }

// mockSink drops all records and fails on demand.
type mockSink struct{}

func (t *mockSink) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	return failLater(tc, config, taskFailure)
}

func (t *mockSink) Put(context.Context, []data.Record) error { return nil }

func (t *mockSink) Stop(context.Context) error { return nil }
