package registry

import (
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
)

// The strategies that name the subject of a record's schema, by the Java classes
// that stand in configurations.
const (
	TopicNameStrategy       = "io.confluent.kafka.serializers.subject.TopicNameStrategy"
	RecordNameStrategy      = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
	TopicRecordNameStrategy = "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"
)

// strategy names subjects.
type strategy struct {
	class string
	isKey bool
}

func (s strategy) setting() string {
	if s.isKey {
		return KeyStrategySetting
	}
	return ValueStrategySetting
}

// subject returns the subject of a schema whose record type has that full name;
// "" for a schema that is no record, which only [TopicNameStrategy] takes.
func (s strategy) subject(topic, record string) (string, error) {
	if s.class == TopicNameStrategy {
		if s.isKey {
			return topic + "-key", nil
		}
		return topic + "-value", nil
	}
	if record == "" {
		side := "value"
		if s.isKey {
			side = "key"
		}
		return "", Serialization("In configuration "+s.setting()+" = "+s.class+", the message "+side+" must only be a record schema", nil)
	}
	if s.class == RecordNameStrategy {
		return record, nil
	}
	return topic + "-" + record, nil
}

// strategyClass is the validator of a strategy's setting. Users write the full
// name; the simple one is as good.
var strategyClass = configdef.Lambda(func(name string, value any) error {
	if c, ok := value.(configdef.Class); ok {
		if _, ok := strategyNamed(string(c)); ok {
			return nil
		}
		return configdef.InvalidValue(name, string(c), "only TopicNameStrategy, RecordNameStrategy and TopicRecordNameStrategy of io.confluent.kafka.serializers.subject are supported")
	}
	return configdef.InvalidValue(name, nil, "a strategy is needed")
}, "TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy")

func strategyNamed(class string) (string, bool) {
	for _, known := range []string{TopicNameStrategy, RecordNameStrategy, TopicRecordNameStrategy} {
		if class == known || class == known[strings.LastIndexByte(known, '.')+1:] {
			return known, true
		}
	}
	return "", false
}
