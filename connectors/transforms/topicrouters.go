package transforms

import (
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
	"github.com/troupeio/troupe/codec/jsonpath"
	"github.com/troupeio/troupe/connectors"
)

// extractTopic takes the topic's name from the record.
type extractTopic struct {
	side  side
	field string         // of the key or value, "" for the whole; the header's key
	path  *jsonpath.Path // in place of the field
	skip  bool           // what is missing or null leaves the topic as it is
}

func extractTopicSpec() spec {
	return spec{
		name: "ExtractTopic", sides: true, header: true,
		keys: []configdef.Key{
			{Name: "field", Type: configdef.String, Default: "", Importance: configdef.Medium,
				Doc: "The field, or the header, that holds the topic's name. Without it the whole key or value is the name."},
			{Name: "field.format", Type: configdef.String, Default: "PLAIN", Importance: configdef.Medium,
				Validator: configdef.OneOfAnyCase("JSON_PATH", "PLAIN"),
				Doc:       "How field is read: as a JSONPath, or as the name of a field. A header has a name."},
			{Name: "skip.missing.or.null", Type: configdef.Boolean, Default: false, Importance: configdef.Low,
				Doc: "Whether a record that lacks the field or header, or has null there, keeps its topic. Otherwise it is an error."},
		},
		transform: newExtractTopic,
	}
}

func newExtractTopic(side side, c *configdef.Values) (connectors.Transformation, error) {
	t := &extractTopic{side: side, field: c.String("field"), skip: c.Bool("skip.missing.or.null")}
	byPath := strings.EqualFold(c.String("field.format"), "JSON_PATH")
	switch {
	case side == headerSide && t.field == "":
		return nil, invalidValue("field", t.field, "It has to name a header")
	case side == headerSide && byPath:
		return nil, invalidValue("field.format", c.String("field.format"), "A header is found by its name; the format can only be PLAIN")
	case byPath:
		path, err := jsonpath.Compile(t.field)
		if err != nil {
			return nil, invalidValue("field", t.field, err.Error())
		}
		t.path = path
	}
	return t, nil
}

// Apply implements [connectors.Transformation].
func (t *extractTopic) Apply(r *data.Record) (bool, error) {
	v, err := t.find(r)
	switch {
	case err != nil:
		return false, err
	case v.IsNull() && t.skip:
		return true, nil
	case v.IsNull():
		return false, data.Errorf("%s is missing or null and cannot be the topic's name", t.what())
	case v.Kind() != data.KindString:
		return false, data.Errorf("%s has to be a string to be the topic's name, and is a %s", t.what(), className(v))
	case v.Str() == "":
		return false, data.Errorf("%s is empty and cannot be the topic's name", t.what())
	}
	r.Topic = v.Str()
	return true, nil
}

func (t *extractTopic) what() string {
	switch {
	case t.side == headerSide:
		return "The header " + t.field
	case t.field != "":
		return "The field " + t.field
	case t.side == keySide:
		return "The key"
	}
	return "The value"
}

// find returns null for what is not there.
func (t *extractTopic) find(r *data.Record) (data.Value, error) {
	if t.side == headerSide {
		h, _ := r.Headers.Last(t.field)
		return h.Value, nil
	}
	_, value := t.side.at(r)
	switch {
	case t.path != nil:
		found, ok, err := t.path.Find(*value)
		if err != nil {
			return data.Null, data.Errorf("field %s: %v", t.path, err)
		}
		if !ok || len(found) == 0 {
			return data.Null, nil
		}
		return found[0], nil
	case t.field == "" || value.IsNull():
		return *value, nil
	}
	v, ok := fieldOf(*value, t.field)
	if !ok {
		return data.Null, data.Errorf("Only Map and Struct objects supported for [topic extraction], found: %s", className(*value))
	}
	return v, nil
}

// fieldOf returns a field of a map or struct, null when it has none; ok is false
// for what has no fields.
func fieldOf(v data.Value, name string) (field data.Value, ok bool) {
	switch v.Kind() {
	case data.KindMap:
		field, _ = v.Map().Get(name)
		return field, true
	case data.KindStruct:
		field, _ = v.Struct().Get(name)
		return field, true
	}
	return data.Null, false
}

// messageTimestampRouter makes the topic's name out of the topic and a time in
// the value.
type messageTimestampRouter struct {
	topicFormat string
	keys        []string
	in, out     *javatext.SimpleDateFormat
}

func messageTimestampRouterSpec() spec {
	pattern := configdef.Lambda(func(name string, value any) error {
		text, _ := value.(string)
		if _, err := javatext.NewSimpleDateFormat(text); err != nil {
			return invalidValue(name, text, err.Error())
		}
		return nil
	}, "a pattern of java.text.SimpleDateFormat")
	return spec{
		name: "MessageTimestampRouter",
		keys: []configdef.Key{
			{Name: "topic.format", Type: configdef.String, Default: "${topic}-${timestamp}", Importance: configdef.High,
				Doc: "The new topic's name, with ${topic} for the old one and ${timestamp} for the time."},
			{Name: "message.timestamp.format", Type: configdef.String, Default: "yyyy-MM-dd", Importance: configdef.High, Validator: pattern,
				Doc: "How a text in the value is read as a time, by java.text.SimpleDateFormat, in UTC. Numbers are milliseconds since 1970."},
			{Name: "topic.timestamp.format", Type: configdef.String, Default: "yyyyMMdd", Importance: configdef.High, Validator: pattern,
				Doc: "How the time is written into the topic's name, by java.text.SimpleDateFormat, in UTC."},
			{Name: "message.timestamp.keys", Type: configdef.List, Default: configdef.Required, Importance: configdef.High, Validator: configdef.NonEmptyList(),
				Doc: "Fields of the value that may hold the time; the first that is there and not null does."},
		},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			t := &messageTimestampRouter{topicFormat: c.String("topic.format"), keys: c.List("message.timestamp.keys")}
			var err error
			if t.in, err = javatext.NewSimpleDateFormat(c.String("message.timestamp.format")); err != nil {
				return nil, err
			}
			t.out, err = javatext.NewSimpleDateFormat(c.String("topic.timestamp.format"))
			return t, err
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *messageTimestampRouter) Apply(r *data.Record) (bool, error) {
	for _, key := range t.keys {
		v, ok := fieldOf(r.Value, key)
		if !ok {
			return false, data.Errorf("Only Map and Struct objects supported for [routing by a time in the value], found: %s", className(r.Value))
		}
		if v.IsNull() {
			continue
		}
		ms, err := t.instant(key, v)
		if err != nil {
			return false, err
		}
		r.Topic = strings.NewReplacer("${topic}", r.Topic, "${timestamp}", t.out.Format(ms)).Replace(t.topicFormat)
		return true, nil
	}
	return false, data.Errorf("The value has none of the fields %s that can hold its time", javaList(t.keys))
}

func (t *messageTimestampRouter) instant(key string, v data.Value) (int64, error) {
	switch v.Kind() {
	case data.KindDate, data.KindInt64, data.KindInt32:
		return v.Int(), nil
	case data.KindString:
		if ms, ok := t.in.Parse(v.Str()); ok {
			return ms, nil
		}
		return 0, data.Errorf("Could not parse timestamp: the field %s (%s) does not match pattern (%s)", key, v.Str(), t.in)
	}
	return 0, data.Errorf("The field %s is a %s, which is no time", key, className(v))
}
