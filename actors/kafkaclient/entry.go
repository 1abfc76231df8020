package kafkaclient

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// Kind is the Java client whose property names are meant. The same name can have
// another default, or no meaning at all, in another client.
type Kind int

// The three clients that Kafka Connect configures.
const (
	Producer Kind = iota
	Consumer
	Admin
)

// String returns "producer", "consumer" or "admin", which is also the stem of the
// worker's and the connector's prefixes.
func (k Kind) String() string {
	switch k {
	case Producer:
		return "producer"
	case Consumer:
		return "consumer"
	default:
		return "admin"
	}
}

// Effect says what becomes of a property.
type Effect int

const (
	// Mapped properties reach the Kafka client as options.
	Mapped Effect = iota
	// Returned properties have no option; the caller finds them in [Settings].
	Returned
	// NoEffect properties are understood and change nothing; the entry's Note says why.
	NoEffect
	// Refused properties may only have the values that the entry's Note lists; any
	// other is an error, because ignoring it would be wrong or unsafe.
	Refused
)

// String returns the word that the documentation uses.
func (e Effect) String() string {
	switch e {
	case Mapped:
		return "mapped"
	case Returned:
		return "used by the worker"
	case NoEffect:
		return "no effect"
	default:
		return "refused unless default"
	}
}

// Entry is the table's row for one property of one or more clients.
type Entry struct {
	// Name is the property without any prefix, such as "linger.ms".
	Name string
	// Type is Kafka's type of the value; it decides how the text is read.
	Type Type
	// Default is Kafka 4.1's default as text. It is meaningless when Null.
	Default string
	// Null says that Kafka has no default value.
	Null bool
	// Required says that Kafka's own client refuses to start without it.
	Required bool
	// Importance is Kafka's: HIGH, MEDIUM or LOW.
	Importance string
	// Valid describes the allowed values in Kafka's words; empty for any.
	Valid string
	// Effect is what becomes of the property here.
	Effect Effect
	// Note is one sentence for users: the option that it becomes, or why it has
	// no effect, or which values are accepted.
	Note string
	// Documentation is Kafka's own text on the key; [Lookup] adds it. Keys that
	// Kafka's clients take without declaring them have none.
	Documentation string

	kinds kindSet
	check check               // Kafka's validator; nil for any value
	set   func(*build, value) // nil when another property's set reads it, or without effect
	by    string              // for Mapped entries without set: who reads it (checked by a test)
}

// kindSet is a set of kinds, one bit each.
type kindSet uint8

const (
	producer kindSet = 1 << Producer
	consumer kindSet = 1 << Consumer
	admin    kindSet = 1 << Admin
	every            = producer | consumer | admin
)

func (s kindSet) has(k Kind) bool { return s&(1<<k) != 0 }

// Lookup returns the row of the named property for the given client. The second
// result is false for a name that Kafka 4.1's client doesn't know.
func Lookup(kind Kind, name string) (Entry, bool) {
	for _, e := range table() {
		if e.Name == name && e.kinds.has(kind) {
			e.Documentation = documentation(kind, name)
			return e, true
		}
	}
	return Entry{}, false
}

// Entries returns the rows of one client, sorted by name.
func Entries(kind Kind) []Entry {
	var out []Entry
	for _, e := range table() {
		if e.kinds.has(kind) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// table returns all rows, in the order in which their values are applied. It is
// built on each call so that nobody can change it for others.
func table() []Entry {
	return slices.Concat(commonTable(), tlsTable(), saslTable(), producerTable(), consumerTable(), adminTable())
}

// documentationText is Kafka's text on each key, by its name; where a client has one
// of its own, by "client/name" too.
//
//go:embed documentation.json
var documentationText []byte

var allDocumentation = sync.OnceValue(func() map[string]string {
	var m map[string]string
	if err := json.Unmarshal(documentationText, &m); err != nil {
		panic("kafkaclient: documentation.json: " + err.Error())
	}
	return m
})

func documentation(kind Kind, name string) string {
	all := allDocumentation()
	if own, ok := all[kind.String()+"/"+name]; ok {
		return own
	}
	return all[name]
}
