package devbroker

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTopicNames(t *testing.T) {
	b := start(t, Options{Ephemeral: true})
	cl := client(t, b.Addr(), kgo.AllowAutoTopicCreation())
	adm := kadm.NewClient(cl)
	for name, row := range map[string]struct {
		topic string
		legal bool
	}{
		"plain":           {"Az09._-x", true},
		"249 characters":  {strings.Repeat("t", 249), true},
		"250 characters":  {strings.Repeat("t", 250), false},
		"10,000":          {strings.Repeat("t", 10_000), false},
		"dot":             {".", false},
		"two dots":        {"..", false},
		"three dots":      {"...", true},
		"slash":           {"a/b", false},
		"space":           {"a b", false},
		"not of ASCII":    {"é", false},
		"a zero":          {"a\x00", false},
		"nothing":         {"", false},
		"parent of other": {"../x", false},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second request is refused as the first
				neighbour := "neighbour-of-" + strings.NewReplacer(" ", "-", ",", "-").Replace(name)
				if row.topic == "" {
					neighbour = "" // see refuseNames
				}
				topics := []string{row.topic}
				if neighbour != "" {
					topics = append(topics, neighbour)
				}
				made, err := adm.CreateTopics(t.Context(), 1, 1, nil, topics...)
				if err != nil {
					t.Fatal(err)
				}
				if err := made[row.topic].Err; row.legal && err != nil || !row.legal && !errors.Is(err, kerr.InvalidTopicException) {
					t.Errorf("creating it: %v", err)
				}
				if neighbour != "" && made[neighbour].Err != nil {
					t.Errorf("creating another with it: %v", made[neighbour].Err)
				}
				if _, err := adm.DeleteTopics(t.Context(), topics...); err != nil {
					t.Fatal(err)
				}
			}
			if row.topic == "" {
				return // the client takes it for no topic
			}
			err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: row.topic, Value: []byte("x")}).FirstErr()
			if row.legal && err != nil || !row.legal && !errors.Is(err, kerr.InvalidTopicException) {
				t.Errorf("producing to it: %v", err)
			}
			found, err := adm.ListTopics(t.Context(), row.topic)
			if err != nil {
				t.Fatal(err)
			}
			if err := found[row.topic].Err; row.legal && err != nil || !row.legal && !errors.Is(err, kerr.InvalidTopicException) {
				t.Errorf("asking for it: %v", err)
			}
		})
	}
	all, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all.Names() {
		if !legalTopic(name) {
			t.Errorf("there is a topic %.300q", name)
		}
	}
}
