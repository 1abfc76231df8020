package transforms

import (
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
	"github.com/troupeio/troupe/connectors"
)

// timestampRouter makes the topic's name out of the topic and the record's time.
type timestampRouter struct {
	topicFormat string
	hasFormat   bool
	format      *javatext.SimpleDateFormat // nil when the pattern is no good
	patternErr  error
}

func timestampRouterSpec() spec {
	return spec{
		name: "TimestampRouter",
		keys: []configdef.Key{
			{Name: "topic.format", Type: configdef.String, Default: "${topic}-${timestamp}", Importance: configdef.High,
				Doc: "Format string which can contain <code>${topic}</code> and <code>${timestamp}</code> as placeholders for the topic and timestamp, respectively."},
			{Name: "timestamp.format", Type: configdef.String, Default: "yyyyMMdd", Importance: configdef.High,
				Doc: "Format string for the timestamp that is compatible with <code>java.text.SimpleDateFormat</code>."},
		},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			t := &timestampRouter{}
			t.topicFormat, t.hasFormat = c.NullableString("topic.format")
			pattern, ok := c.NullableString("timestamp.format")
			// A bad pattern shows with the first record, as in Kafka Connect.
			if !ok {
				t.patternErr = recordError(nullPointerException, "timestamp.format is null")
				return t, nil
			}
			f, err := javatext.NewSimpleDateFormat(pattern)
			if err != nil {
				t.patternErr = recordError(illegalArgument, err.Error())
				return t, nil
			}
			t.format = f
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *timestampRouter) Apply(r *data.Record) (bool, error) {
	switch {
	case r.Timestamp == data.NoTimestamp:
		return false, data.Errorf("Timestamp missing on record: %s", r)
	case t.patternErr != nil:
		return false, t.patternErr
	case !t.hasFormat:
		return false, recordError(nullPointerException, "topic.format is null")
	case r.Topic == "":
		return false, recordError(nullPointerException, "the record has no topic")
	}
	topic := strings.ReplaceAll(t.topicFormat, "${topic}", r.Topic)
	if strings.Contains(topic, "${timestamp}") {
		topic = strings.ReplaceAll(topic, "${timestamp}", t.format.Format(r.Timestamp))
	}
	r.Topic = topic
	return true, nil
}
