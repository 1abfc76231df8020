package connectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/configdef"
)

// Kind is the kind of a plugin, as REST names it.
type Kind string

// The kinds of plugins, in the order in which REST lists them.
const (
	SinkKind            Kind = "sink"
	SourceKind          Kind = "source"
	TransformationKind  Kind = "transformation"
	PredicateKind       Kind = "predicate"
	ConverterKind       Kind = "converter"
	HeaderConverterKind Kind = "header_converter"
)

var kindOrder = []Kind{SinkKind, SourceKind, TransformationKind, PredicateKind, ConverterKind, HeaderConverterKind}

// KafkaVersion is the version of Kafka Connect that Troupe speaks; plugins under
// org.apache.kafka report it as theirs.
const KafkaVersion = "4.1.0"

// TroupeVersion is the version that Troupe's plugins report which are no part of
// Kafka Connect: its own, and those under the names of other vendors.
const TroupeVersion = "0.1.0"

// Plugin describes one class that configurations can name. The functions that
// its Kind needs must be set; the others are nil.
type Plugin struct {
	Class   string // Java class name, or ours: "troupe.csv.CsvSourceConnector"
	Kind    Kind
	Version string
	// Def returns the settings of the plugin itself.
	Def func() *configdef.Def

	TaskClass     string // of connectors: what task configs give as task.class
	NewConnector  func() Connector
	NewSourceTask func() SourceTask
	NewSinkTask   func() SinkTask

	NewTransformation  func(config map[string]string) (Transformation, error)
	NewPredicate       func(config map[string]string) (Predicate, error)
	NewConverter       func(config map[string]string, isKey bool) (codec.Converter, error)
	NewHeaderConverter func(config map[string]string) (codec.HeaderConverter, error)
}

// aliases returns the short names of the plugin: its simple name, and that
// without the suffix of its kind.
func (p *Plugin) aliases() []string {
	simple := p.Class[strings.LastIndexByte(p.Class, '.')+1:]
	if i := strings.LastIndexByte(simple, '$'); i >= 0 {
		simple = simple[i+1:]
	}
	var suffixes []string
	switch p.Kind {
	case SinkKind, SourceKind:
		suffixes = []string{"Connector"}
	case TransformationKind:
		suffixes = []string{"Transformation"}
	case PredicateKind:
		suffixes = []string{"Predicate"}
	case ConverterKind:
		suffixes = []string{"Converter"}
	case HeaderConverterKind:
		suffixes = []string{"HeaderConverter", "Converter"}
	}
	out := []string{simple}
	for _, s := range suffixes {
		if short, ok := strings.CutSuffix(simple, s); ok && short != "" {
			return append(out, short)
		}
	}
	return out
}

// Registry holds the plugins of a worker. Fill it before the worker starts;
// afterwards it is only read.
type Registry struct {
	plugins []*Plugin
	byName  map[string][]*Plugin // class or alias; an alias of several classes is dropped
	alias   map[string]bool
}

// NewRegistry returns a registry of the given plugins. Two plugins of one class
// and kind are a mistake in the program, and an error.
func NewRegistry(plugins ...[]Plugin) (*Registry, error) {
	r := &Registry{byName: make(map[string][]*Plugin), alias: make(map[string]bool)}
	for _, list := range plugins {
		for i := range list {
			p := &list[i]
			for _, q := range r.byName[p.Class] {
				if q.Kind == p.Kind {
					return nil, fmt.Errorf("registering plugins: %s is there twice as a %s", p.Class, p.Kind)
				}
			}
			r.plugins = append(r.plugins, p)
			r.byName[p.Class] = append(r.byName[p.Class], p)
		}
	}
	owner := make(map[string]string) // alias -> class, "" once ambiguous
	for _, p := range r.plugins {
		for _, a := range p.aliases() {
			if c, seen := owner[a]; seen && c != p.Class {
				owner[a] = ""
			} else {
				owner[a] = p.Class
			}
		}
	}
	for a, class := range owner {
		if class == "" || a == class {
			continue
		}
		if _, isClass := r.byName[a]; !isClass {
			r.byName[a], r.alias[a] = r.byName[class], true
		}
	}
	slices.SortStableFunc(r.plugins, func(a, b *Plugin) int {
		if d := slices.Index(kindOrder, a.Kind) - slices.Index(kindOrder, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.Class, b.Class)
	})
	return r, nil
}

// Find returns the plugin of one of the given kinds under a class name or alias.
func (r *Registry) Find(name string, kinds ...Kind) (*Plugin, bool) {
	for _, p := range r.byName[strings.TrimSpace(name)] {
		if len(kinds) == 0 || slices.Contains(kinds, p.Kind) {
			return p, true
		}
	}
	return nil, false
}

// Connector returns the source or sink plugin under a class name or alias.
func (r *Registry) Connector(name string) (*Plugin, bool) {
	return r.Find(name, SinkKind, SourceKind)
}

// All returns the plugins as REST lists them: sinks, sources, transformations,
// predicates, converters, header converters, each by class.
func (r *Registry) All() []*Plugin { return r.plugins }
