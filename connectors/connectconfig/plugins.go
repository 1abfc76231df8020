// Package connectconfig holds the settings that Kafka Connect itself gives to
// connectors (ConnectorConfig, SourceConnectorConfig, SinkConnectorConfig), extends
// them by those of the transformations and predicates that a configuration names,
// and validates a whole connector configuration as PUT
// /connector-plugins/{plugin}/config/validate does. It imports codec/configdef,
// codec/javaregex and connectors; it starts nothing and remembers nothing.
package connectconfig

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Plugin is what validation needs to know of one plugin.
type Plugin struct {
	Class   string // full name
	Kind    connectors.Kind
	Version string
	// Def declares the plugin's own settings; nil where it has none.
	Def *configdef.Def
}

// Plugins finds the plugins that configurations name.
type Plugins interface {
	// Find returns a plugin of one of the kinds, by class or alias.
	Find(name string, kinds ...connectors.Kind) (Plugin, bool)
	// List returns the plugins of a kind, sorted by class.
	List(kind connectors.Kind) []Plugin
}

// FromRegistry gives access to the plugins of a worker.
func FromRegistry(r *connectors.Registry) Plugins { return registry{r} }

type registry struct{ r *connectors.Registry }

func describe(p *connectors.Plugin) Plugin {
	out := Plugin{Class: p.Class, Kind: p.Kind, Version: p.Version}
	if p.Def != nil {
		out.Def = p.Def()
	}
	return out
}

func (r registry) Find(name string, kinds ...connectors.Kind) (Plugin, bool) {
	p, ok := r.r.Find(name, kinds...)
	if !ok {
		return Plugin{}, false
	}
	return describe(p), true
}

func (r registry) List(kind connectors.Kind) []Plugin {
	var out []Plugin
	for _, p := range r.r.All() {
		if p.Kind == kind {
			out = append(out, describe(p))
		}
	}
	return out
}

// catalog answers the questions about classes that go beyond one plugin.
type catalog struct{ Plugins }

var allKinds = []connectors.Kind{
	connectors.SinkKind, connectors.SourceKind, connectors.TransformationKind,
	connectors.PredicateKind, connectors.ConverterKind, connectors.HeaderConverterKind,
}

// interfaceName returns the name of the Java interface that plugins of a kind
// implement.
func interfaceName(kind connectors.Kind) string {
	switch kind {
	case connectors.TransformationKind:
		return "Transformation"
	case connectors.PredicateKind:
		return "Predicate"
	case connectors.ConverterKind:
		return "Converter"
	case connectors.HeaderConverterKind:
		return "HeaderConverter"
	}
	return "Connector"
}

// javaLang are classes that every JVM has and that somebody might name by mistake;
// they get Kafka Connect's message about the interface, not that of a missing class.
var javaLang = [...]string{"Boolean", "Byte", "Character", "Double", "Float", "Integer", "Long", "Object", "Short", "String"}

// interfaces are Kafka Connect's own, which somebody might name in place of a plugin.
var interfaces = map[string]connectors.Kind{
	"org.apache.kafka.connect.storage.Converter":               connectors.ConverterKind,
	"org.apache.kafka.connect.storage.HeaderConverter":         connectors.HeaderConverterKind,
	"org.apache.kafka.connect.transforms.Transformation":       connectors.TransformationKind,
	"org.apache.kafka.connect.transforms.predicates.Predicate": connectors.PredicateKind,
}

// ResolveClass finds a class of any kind, an abstract one with nested plugins too.
func (c catalog) ResolveClass(name string) (string, bool) {
	if p, ok := c.Find(name); ok {
		return p.Class, true
	}
	if simple, ok := strings.CutPrefix(name, "java.lang."); ok && slices.Contains(javaLang[:], simple) {
		return name, true
	}
	if _, ok := interfaces[name]; ok {
		return name, true
	}
	for _, kind := range allKinds {
		if len(c.nested(name, kind)) > 0 {
			return name, true
		}
	}
	return "", false
}

// nested returns the plugins of a kind that are nested in an abstract class, such
// as Cast$Key and Cast$Value in Cast.
func (c catalog) nested(class string, kind connectors.Kind) []string {
	var out []string
	for _, p := range c.List(kind) {
		if strings.HasPrefix(p.Class, class+"$") {
			out = append(out, p.Class)
		}
	}
	return out
}

// versions returns the version of each plugin of that class, whatever its kind.
func (c catalog) versions(class string) []string {
	var out []string
	for _, kind := range allKinds {
		if p, ok := c.Find(class, kind); ok && p.Class == class {
			out = append(out, p.Version)
		}
	}
	return out
}

// check says what is wrong with a class that was found: not of the kind, abstract,
// or not there in a wanted version.
func (c catalog) check(class string, kind connectors.Kind, version *string) error {
	p, ok := c.Find(class, kind)
	if ok {
		return c.checkVersion(p, version)
	}
	if nested := c.nested(class, kind); len(nested) > 0 {
		return configdef.Errorf("This class is abstract and cannot be created. Did you mean %s?", strings.Join(nested, ", "))
	}
	what := "class"
	if is, ok := interfaces[class]; ok {
		if is == kind {
			return configdef.Errorf("This class is abstract and cannot be created.")
		}
		what = "interface"
	}
	return configdef.Errorf("Class %s %s does not implement the %s interface", what, class, interfaceName(kind))
}

// checkVersion says whether a plugin is there in a wanted version.
func (c catalog) checkVersion(p Plugin, version *string) error {
	if version == nil {
		return nil
	}
	r, err := parseVersionRange(*version)
	if err != nil || r.contains(p.Version) {
		return err
	}
	return configdef.Errorf("Plugin %s not found that matches the version range %s, available versions: [%s]",
		p.Class, r, strings.Join(c.versions(p.Class), ", "))
}

// classRecommender proposes all plugins of a kind.
type classRecommender struct {
	plugins catalog
	kind    connectors.Kind
}

func (r classRecommender) ValidValues(string, map[string]any) ([]any, error) {
	var out []any
	for _, p := range r.plugins.List(r.kind) {
		out = append(out, configdef.Class(p.Class))
	}
	return out, nil
}

func (classRecommender) Visible(string, map[string]any) bool { return true }

// versionRecommender proposes the versions of the class that another key names.
type versionRecommender struct {
	plugins    catalog
	kinds      []connectors.Kind
	class      string // the key of the class, or
	fixed      string // the class itself
	alwaysSeen bool
	silent     bool // proposes nothing
}

func (r versionRecommender) named(parsed map[string]any) (string, bool) {
	if r.fixed != "" {
		return r.fixed, true
	}
	class, ok := parsed[r.class].(configdef.Class)
	return string(class), ok
}

func (r versionRecommender) ValidValues(_ string, parsed map[string]any) ([]any, error) {
	if class, ok := r.named(parsed); ok && !r.silent {
		if p, ok := r.plugins.Find(class, r.kinds...); ok {
			return []any{p.Version}, nil
		}
	}
	return nil, nil
}

func (r versionRecommender) Visible(_ string, parsed map[string]any) bool {
	_, ok := r.named(parsed)
	return ok || r.alwaysSeen
}
