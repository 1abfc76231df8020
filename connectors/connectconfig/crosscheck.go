package connectconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

// crossCheck holds what Kafka Connect checks between settings.
func (r *Request) crossCheck(connector Plugin, values []*configdef.ConfigValue) []*configdef.ConfigValue {
	fail := func(message string, keys ...string) {
		for _, k := range keys {
			valueOf(&values, k).AddError(message)
		}
	}
	if connector.Kind == connectors.SinkKind {
		r.checkTopics(fail)
	}
	if r.Distributed == nil {
		return values
	}
	if connector.Kind == connectors.SinkKind {
		r.checkGroup(&values)
	} else {
		r.checkExactlyOnce(connector, &values)
	}
	return values
}

func (r *Request) plain(key string) string {
	if p := r.Config[key]; p != nil {
		return *p
	}
	return ""
}

func (r *Request) checkTopics(fail func(message string, keys ...string)) {
	topics, regex := r.plain("topics"), r.plain("topics.regex")
	dlq := strings.TrimSpace(r.plain("errors.deadletterqueue.topic.name"))
	hasTopics, hasRegex := strings.TrimSpace(topics) != "", strings.TrimSpace(regex) != ""
	if hasTopics && hasRegex {
		fail("topics and topics.regex are mutually exclusive options, but both are set.", "topics", "topics.regex")
	}
	if !hasTopics && !hasRegex {
		fail("Must configure one of topics or topics.regex", "topics", "topics.regex")
	}
	if dlq == "" {
		return
	}
	if list := TopicsList(topics); hasTopics && slices.Contains(list, dlq) {
		fail(fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector", dlq, strings.Join(list, ", ")), "topics")
	}
	if hasRegex {
		// A pattern that cannot be compiled has its own message already.
		if p, err := javaregex.Compile(regex); err == nil && p.MatchString(dlq) {
			fail(fmt.Sprintf("The DLQ topic '%s' may not be matched by the regex for the topics ('topics.regex=%s') consumed by the connector", dlq, regex), "topics.regex")
		}
	}
}

// TopicsList parses the setting `topics`: empty entries and duplicates are left out.
func TopicsList(topics string) []string {
	out := []string{}
	for _, t := range configdef.SplitList(topics) {
		if t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func (r *Request) checkGroup(values *[]*configdef.ConfigValue) {
	const override = "consumer.override.group.id"
	own := r.Distributed.GroupID
	if given, there := r.Config[override]; there {
		v := valueOf(values, override)
		if given != nil {
			v.Value = *given
			if *given == own {
				v.AddError("Consumer group " + own + " conflicts with Connect worker group " + own)
			}
		}
		return
	}
	if name := r.plain("name"); "connect-"+name == own {
		valueOf(values, "name").AddError("Consumer group for sink connector named " + name + " conflicts with Connect worker group " + own)
	}
}

func (r *Request) checkExactlyOnce(connector Plugin, values *[]*configdef.ConfigValue) {
	config := withoutNulls(r.Config)
	support := valueOf(values, "exactly.once.support")
	if s, ok := support.Value.(string); ok && len(support.Errors) == 0 && strings.EqualFold(s, "required") {
		if !r.Distributed.ExactlyOnceSource {
			support.AddError("This worker does not have exactly-once source support enabled.")
		}
		switch {
		case r.ExactlyOnce == nil:
			support.AddError("The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created).")
		case connector.Def != nil && parseError(connector.Def, r.Config) != nil:
			// A connector cannot tell of a configuration that it cannot read.
			support.AddError("An unexpected error occurred during validation: " + parseError(connector.Def, r.Config).Error())
		case !r.ExactlyOnce.ExactlyOnceSupport(config):
			support.AddError("The connector does not support exactly-once semantics with the provided configuration.")
		}
	}
	boundary := valueOf(values, "transaction.boundary")
	if s, ok := boundary.Value.(string); ok && len(boundary.Errors) == 0 && strings.EqualFold(s, "connector") {
		if r.ExactlyOnce == nil || !r.ExactlyOnce.CanDefineTransactionBoundaries(config) {
			boundary.AddError("The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition.")
		}
	}
}

func parseError(d *configdef.Def, config map[string]*string) error {
	_, err := d.ParseNullable(config)
	return err
}
