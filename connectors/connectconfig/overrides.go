package connectconfig

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Policy is a connector.client.config.override.policy.
type Policy string

// The policies of Kafka Connect.
const (
	PolicyAll       Policy = "All"
	PolicyNone      Policy = "None"
	PolicyPrincipal Policy = "Principal"
)

// allows reports whether a connector may set a client property.
func (p Policy) allows(property string) bool {
	switch p {
	case PolicyNone:
		return false
	case PolicyPrincipal:
		return slices.Contains([]string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}, property)
	}
	return true
}

// Client is a kind of Kafka client.
type Client string

// The kinds of clients that connectors can override settings of.
const (
	Producer Client = "producer"
	Consumer Client = "consumer"
	Admin    Client = "admin"
)

// ClientConfig returns the declaration of a client property, and false for one that
// the Java client doesn't know.
type ClientConfig func(client Client, property string) (configdef.Key, bool)

// usesClient reports whether a connector of that configuration has a client of the
// kind; overrides of other clients are stored but not looked at.
func (r *Request) usesClient(client Client, kind connectors.Kind) bool {
	given := func(key string) bool {
		p := r.Config[key]
		return p != nil && strings.TrimSpace(*p) != ""
	}
	source := kind == connectors.SourceKind
	dlq := !source && given("errors.deadletterqueue.topic.name")
	ownOffsets := source && r.Distributed != nil && (r.Distributed.ExactlyOnceSource || given("offsets.storage.topic"))
	switch client {
	case Producer:
		return source || dlq
	case Consumer:
		return !source || ownOffsets
	}
	if source {
		for key := range r.Config {
			if strings.HasPrefix(key, "topic.creation.") {
				return true
			}
		}
	}
	return dlq || ownOffsets
}

// overrides validates the overrides of one client. A value that the property's type
// refuses fails the whole validation, as it does in Kafka Connect.
func (r *Request) overrides(client Client) (*infos, error) {
	prefix := string(client) + ".override."
	own := make(map[string]*string)
	var names []string
	for _, key := range r.order() {
		if name, ok := strings.CutPrefix(key, prefix); ok && name != "" {
			own[name] = r.Config[key]
			names = append(names, name)
		}
	}
	values := make(map[string]*configdef.ConfigValue, len(names))
	keys := make(map[string]*configdef.Key, len(names))
	for _, name := range HashOrder(names, CopiedBuckets(len(names))) { // the first that fails is told
		value := &configdef.ConfigValue{Name: name, Visible: true}
		values[name] = value
		if r.ClientConfig != nil {
			if k, ok := r.ClientConfig(client, name); ok {
				keys[name] = &k
			}
		}
		given := own[name]
		if given == nil {
			continue
		}
		value.Value = *given
		if key := keys[name]; key != nil {
			parsed, err := configdef.ParseType(name, *given, key.Type, anyClass{})
			if err != nil {
				return nil, &connectors.Error{JavaClass: connectors.ConfigException, Msg: err.Error(), Class: connectors.Configuration}
			}
			value.Value = parsed
		}
	}
	out := &infos{}
	names = grownOrder(names)
	faults := r.clientFaults(client, names)
	for _, name := range names {
		value := values[name]
		if !r.Policy.allows(name) {
			value.AddError("The '" + string(r.Policy) + "' policy does not allow '" + name + "' to be overridden in the connector configuration.")
		}
		for _, message := range faults[name] {
			value.AddError(message)
		}
		out.addPart(prefix, keys[name], value)
	}
	return out, nil
}

// clientFaults returns what is wrong with a client's TLS, by the override that it is
// about; what is about none of them by the first that concerns TLS.
func (r *Request) clientFaults(client Client, names []string) map[string][]string {
	first := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "ssl.") || name == "security.protocol" })
	if first < 0 || r.ClientFaults == nil {
		return nil
	}
	out := map[string][]string{}
	for _, e := range r.ClientFaults(client) {
		name := e.Name
		if !slices.Contains(names, name) {
			name = names[first]
		}
		out[name] = append(out[name], e.Message)
	}
	return out
}

// anyClass takes for a class what is written as one, with a package.
type anyClass struct{}

func (anyClass) ResolveClass(name string) (string, bool) { return name, strings.Contains(name, ".") }
