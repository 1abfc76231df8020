package worker

import (
	"maps"
	"testing"
)

// TestConsumerDefaults: what a sink's consumer has where the user says nothing; what the
// user says stays.
func TestConsumerDefaults(t *testing.T) {
	const heartbeat, session = "heartbeat.interval.ms", "session.timeout.ms"
	for _, tt := range []struct {
		name        string
		props, task map[string]string
		want        map[string]string // what is added
	}{
		{"one task", nil, nil, map[string]string{session: "10000"}},
		{"one task, said so", nil, map[string]string{"tasks.max": " 1 "}, map[string]string{session: "10000"}},
		{"several tasks", nil, map[string]string{"tasks.max": "2"}, map[string]string{heartbeat: "500", session: "10000"}},
		{"the user's", map[string]string{heartbeat: "1", session: "2"}, map[string]string{"tasks.max": "2"}, nil},
		{"the broker's protocol", map[string]string{"group.protocol": "Consumer"}, map[string]string{"tasks.max": "2"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			props := map[string]string{}
			maps.Copy(props, tt.props)
			consumerDefaults(props, tt.task)
			maps.DeleteFunc(props, func(k, _ string) bool { _, given := tt.props[k]; return given })
			if !maps.Equal(props, tt.want) {
				t.Errorf("added %v, want %v", props, tt.want)
			}
		})
	}
}
