package task

import (
	"errors"
	"fmt"
	"testing"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// TestMessage: the exception.message header of dead letters.
func TestMessage(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		err  error
		want any // nil: a null header
	}{
		{"plain", boom, "boom"},
		{"data", data.Errorf("no such field"), "no such field"},
		{"with a cause", &connectors.Error{Msg: "writing", Cause: boom}, "writing"},
		{"wrapped", connectors.Errorf("writing: %w", boom), "writing"},
		{"of the cause alone", connectors.Retriable(boom), "org.apache.kafka.connect.errors.ConnectException: boom"},
		{"of a cause without text", connectors.Retriable(errors.New("")), "org.apache.kafka.connect.errors.ConnectException"},
		{"that ends with the cause's", &codec.Error{Msg: "no access : boom", Cause: boom}, "no access : boom"},
		{"none", &connectors.Error{}, nil},
		{"empty", errors.New(""), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := message(tt.err)
			if tt.want == nil && got != nil || tt.want != nil && string(got) != fmt.Sprint(tt.want) {
				t.Errorf("message %q, want %v", got, tt.want)
			}
		})
	}
}
