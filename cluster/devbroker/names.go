package devbroker

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxTopicName is how long a topic's name may be in Kafka, which makes directories of
// them.
const maxTopicName = 249

// legalTopic reports whether Kafka takes a name for a topic.
func legalTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxTopicName {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}) < 0
}

// refuseNames returns a function that makes the next request of a kind be answered
// INVALID_TOPIC_EXCEPTION for topics whose names Kafka refuses: kfake takes any.
func refuseNames(c *kfake.Cluster) func(key kmsg.Key, topics []string) {
	return func(key kmsg.Key, topics []string) {
		for _, t := range topics {
			f := kfake.Fault{Keys: []kmsg.Key{key}, Topic: t, Err: kerr.InvalidTopicException}
			if t == "" { // which a fault takes for every topic, so all of the request fail
				f.When = namesEmpty
			}
			c.Fault(f)
		}
	}
}

func namesEmpty(req kmsg.Request) bool {
	switch req := req.(type) {
	case *kmsg.MetadataRequest:
		for _, t := range req.Topics {
			if t.Topic != nil && *t.Topic == "" {
				return true
			}
		}
	case *kmsg.CreateTopicsRequest:
		for _, t := range req.Topics {
			if t.Topic == "" {
				return true
			}
		}
	}
	return false
}
