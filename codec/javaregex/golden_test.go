package javaregex

import (
	"strings"
	"testing"

	"github.com/troupeio/troupe/internal/golden"
)

// TestGoldenRouterAndTopicNameMatches replays what RegexRouter and
// TopicNameMatches were recorded to do, as far as it is the pattern's doing.
func TestGoldenRouterAndTopicNameMatches(t *testing.T) {
	type record struct{ Topic *string }
	type vector struct {
		ID, Class     string
		Config        map[string]*string
		Input, Output *record
		Result        *bool
		Error         *struct{ Phase, Message string }
	}
	rows := 0
	for _, row := range golden.Read[vector](t, "smt.jsonl") {
		setting, router := "regex", strings.HasSuffix(row.Class, ".RegexRouter")
		if !router {
			setting = "pattern"
			if !strings.HasSuffix(row.Class, ".TopicNameMatches") {
				continue
			}
		}
		rows++
		pattern := row.Config[setting]
		if pattern == nil || row.Error != nil && strings.Contains(row.Error.Message, "Missing required") {
			continue // the setting, not the pattern
		}
		if row.Error != nil && strings.Contains(row.Error.Message, "non-empty") {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			p, err := Compile(*pattern)
			if row.Error != nil && row.Error.Phase == "configure" {
				_, want, _ := strings.Cut(row.Error.Message, "Invalid regex: ")
				if err == nil || err.Error() != want {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Input == nil || row.Input.Topic == nil || router && row.Config["replacement"] == nil {
				return // the transform's matter
			}
			if !router {
				if got := p.MatchString(*row.Input.Topic); got != *row.Result {
					t.Errorf("got %v", got)
				}
				return
			}
			got, _, err := p.Route(*row.Input.Topic, *row.Config["replacement"])
			if row.Error != nil {
				if err == nil || err.Error() != row.Error.Message {
					t.Errorf("got %q, %v; want %s", got, err, row.Error.Message)
				}
				return
			}
			if err != nil || got != *row.Output.Topic {
				t.Errorf("got %q, %v; want %q", got, err, *row.Output.Topic)
			}
		})
	}
	if rows == 0 {
		t.Skip("no vectors of RegexRouter and TopicNameMatches")
	}
	t.Logf("%d rows", rows)
}
