package transforms

import (
	"errors"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

// cachedTopics bounds how many topics a router remembers.
const cachedTopics = 1024

// regexRouter renames the topics that match a pattern as a whole.
type regexRouter struct {
	pattern     *javaregex.Pattern
	replacement string
	hasText     bool   // the replacement is not null
	last, to    string // the latest topic and what became of it
	known       map[string]string
}

func regexRouterSpec() spec {
	return spec{
		name: "RegexRouter",
		keys: []configdef.Key{
			{Name: "regex", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.Regex(), Doc: "Regular expression to use for matching."},
			{Name: "replacement", Type: configdef.String, Default: configdef.Required, Importance: configdef.High, Doc: "Replacement string."},
		},
		transform: func(_ side, c *configdef.Values) (connectors.Transformation, error) {
			p, err := javaregex.Compile(c.String("regex"))
			if err != nil {
				return nil, err
			}
			t := &regexRouter{pattern: p, known: make(map[string]string)}
			t.replacement, t.hasText = c.NullableString("replacement")
			return t, nil
		},
	}
}

// Apply implements [connectors.Transformation].
func (t *regexRouter) Apply(r *data.Record) (bool, error) {
	if r.Topic == t.last && r.Topic != "" {
		r.Topic = t.to
		return true, nil
	}
	return t.route(r)
}

func (t *regexRouter) route(r *data.Record) (bool, error) {
	if r.Topic == "" {
		return false, recordError(nullPointerException, "the record has no topic")
	}
	to, ok := t.known[r.Topic]
	if !ok {
		var err error
		var matched bool
		if to, matched, err = t.pattern.Route(r.Topic, t.replacement); err != nil {
			return false, routeError(err)
		}
		if matched && !t.hasText {
			return false, recordError(nullPointerException, "replacement is null")
		}
		if len(t.known) >= cachedTopics {
			clear(t.known)
		}
		t.known[r.Topic] = to
	}
	t.last, t.to = r.Topic, to
	r.Topic = to
	return true, nil
}

func routeError(err error) error {
	var e *javaregex.ReplacementError
	if !errors.As(err, &e) {
		return connectors.Errorf("routing by topic: %w", err)
	}
	return recordError("java.lang."+e.Class, e.Message)
}
