package transforms

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

// hasHeaderKey is true of a record with a header of that name.
type hasHeaderKey struct {
	name string
	ok   bool // there is a name
}

func hasHeaderKeySpec() spec {
	return spec{
		name: "HasHeaderKey",
		keys: []configdef.Key{{Name: "name", Type: configdef.String, Default: configdef.Required, Importance: configdef.Medium,
			Validator: configdef.NonEmpty(), Doc: "The header name."}},
		predicate: func(c *configdef.Values) (connectors.Predicate, error) {
			name, ok := c.NullableString("name")
			return hasHeaderKey{name, ok}, nil
		},
	}
}

// Test implements [connectors.Predicate].
func (p hasHeaderKey) Test(r *data.Record) (bool, error) {
	if !p.ok {
		return false, nil
	}
	_, found := r.Headers.Last(p.name)
	return found, nil
}

// recordIsTombstone is true of a record whose value is null.
type recordIsTombstone struct{}

func recordIsTombstoneSpec() spec {
	return spec{name: "RecordIsTombstone", predicate: func(*configdef.Values) (connectors.Predicate, error) { return recordIsTombstone{}, nil }}
}

// Test implements [connectors.Predicate].
func (recordIsTombstone) Test(r *data.Record) (bool, error) { return r.Value.IsNull(), nil }

// topicNameMatches is true of a record whose whole topic matches a pattern.
type topicNameMatches struct {
	pattern *javaregex.Pattern
	known   map[string]bool
}

func topicNameMatchesSpec() spec {
	return spec{
		name: "TopicNameMatches",
		keys: []configdef.Key{{Name: "pattern", Type: configdef.String, Default: configdef.Required, Importance: configdef.Medium,
			Validator: configdef.Composite(configdef.NonEmpty(), configdef.Regex()),
			Doc:       "A Java regular expression for matching against the name of a record's topic."}},
		predicate: func(c *configdef.Values) (connectors.Predicate, error) {
			p, err := javaregex.Compile(c.String("pattern"))
			if err != nil {
				return nil, err
			}
			return &topicNameMatches{pattern: p, known: make(map[string]bool)}, nil
		},
	}
}

// Test implements [connectors.Predicate].
func (p *topicNameMatches) Test(r *data.Record) (bool, error) {
	if r.Topic == "" {
		return false, nil
	}
	is, ok := p.known[r.Topic]
	if !ok {
		var err error
		if is, err = p.pattern.Match(r.Topic); err != nil {
			return false, connectors.Errorf("testing the topic's name: %w", err)
		}
		if len(p.known) >= cachedTopics {
			clear(p.known)
		}
		p.known[r.Topic] = is
	}
	return is, nil
}
