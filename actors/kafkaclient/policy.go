package kafkaclient

import (
	"maps"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
)

// Policy says which client properties a connector may override
// (connector.client.config.override.policy).
type Policy string

// Kafka's three policies.
const (
	All       Policy = "All"
	None      Policy = "None"
	Principal Policy = "Principal"
)

const (
	policyName    = "connector.client.config.override.policy"
	policySuffix  = "ConnectorClientConfigOverridePolicy"
	policyPackage = "org.apache.kafka.connect.connector.policy."
)

// PolicyFor finds a policy by its alias or class name. Another class is refused, with
// Kafka's message for a class that isn't there: to fall back to All would open a door.
func PolicyFor(name string) (Policy, error) {
	text := strings.TrimSpace(name)
	short := strings.TrimPrefix(text, policyPackage)
	for _, p := range []Policy{All, None, Principal} {
		full := string(p) + policySuffix
		if short == full || text == string(p) {
			return p, nil
		}
	}
	return "", configdef.InvalidValue(policyName, text, "Class "+text+" could not be found.")
}

// Violation is one override that a policy forbids.
type Violation struct {
	// Name is the property without prefix.
	Name string
	// Message is Kafka's.
	Message string
}

// Check returns what the policy forbids among overrides, whose names have no prefix,
// sorted by name.
func (p Policy) Check(overrides map[string]string) []Violation {
	var out []Violation
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if !p.allows(name) {
			out = append(out, Violation{Name: name, Message: "The '" + string(p) + "' policy does not allow '" + name +
				"' to be overridden in the connector configuration."})
		}
	}
	return out
}

func (p Policy) allows(name string) bool {
	switch p {
	case All:
		return true
	case Principal:
		return name == "sasl.jaas.config" || name == "sasl.mechanism" || name == "security.protocol"
	default:
		return false
	}
}
