package transforms

import (
	"errors"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// pkg is the Java package of the transforms; predicates are in one beneath it.
const pkg = "org.apache.kafka.connect.transforms."

// replaceNull is the setting of KIP-1040.
const replaceNull = "replace.null.with.default"

// spec is what one of Kafka Connect's classes is to us: its settings, and how
// they become a value that works on one side of a record.
type spec struct {
	pkg    string // Java package with its dot; "" for pkg
	name   string // simple name
	sides  bool   // has $Key and $Value forms
	header bool   // and a $Header form
	keys   []configdef.Key
	paths  []string // the settings that hold paths of fields, or names, by field.syntax.version
	// One of the two is set. They return ConfigExceptions as errors of
	// connectors or configdef.
	transform func(side side, c *configdef.Values) (connectors.Transformation, error)
	predicate func(c *configdef.Values) (connectors.Predicate, error)
}

// specs returns Kafka Connect's classes in the order of their names.
func specs() []spec {
	return []spec{
		castSpec(), dropHeadersSpec(), extractFieldSpec(), filterSpec(), flattenSpec(), headerFromSpec(), hoistFieldSpec(),
		insertFieldSpec(), insertHeaderSpec(), maskFieldSpec(), regexRouterSpec(), replaceFieldSpec(), setSchemaMetadataSpec(),
		timestampConverterSpec(), timestampRouterSpec(), valueToKeySpec(),
		hasHeaderKeySpec(), recordIsTombstoneSpec(), topicNameMatchesSpec(),
	}
}

// Plugins returns the descriptors of all transforms and predicates.
func Plugins() []connectors.Plugin {
	var out []connectors.Plugin
	for _, s := range append(specs(), confluentSpecs()...) {
		switch {
		case s.predicate != nil:
			out = append(out, s.predicatePlugin())
		case s.sides:
			out = append(out, s.transformPlugin("$Key", keySide), s.transformPlugin("$Value", valueSide))
			if s.header {
				out = append(out, s.transformPlugin("$Header", headerSide))
			}
		default:
			out = append(out, s.transformPlugin("", valueSide))
		}
	}
	return out
}

func (s *spec) def() *configdef.Def {
	d := configdef.New(s.keys...)
	if len(s.paths) > 0 {
		d.AddRule(s.pathFaults)
	}
	return d
}

func (s *spec) transformPlugin(suffix string, side side) connectors.Plugin {
	class, version := pkg+s.name+suffix, connectors.KafkaVersion
	if s.pkg != "" {
		class, version = s.pkg+s.name+suffix, connectors.TroupeVersion
	}
	return connectors.Plugin{
		Class: class, Kind: connectors.TransformationKind, Version: version, Def: s.def,
		NewTransformation: func(config map[string]string) (connectors.Transformation, error) {
			return s.newTransformation(side, configdef.Nullable(config))
		},
	}
}

func (s *spec) predicatePlugin() connectors.Plugin {
	return connectors.Plugin{
		Class: pkg + "predicates." + s.name, Kind: connectors.PredicateKind, Version: connectors.KafkaVersion, Def: s.def,
		NewPredicate: func(config map[string]string) (connectors.Predicate, error) {
			return s.newPredicate(configdef.Nullable(config))
		},
	}
}

func (s *spec) newTransformation(side side, config map[string]*string) (connectors.Transformation, error) {
	c, err := s.def().ParseNullable(config)
	if err != nil {
		return nil, asConfigError(err)
	}
	t, err := s.transform(side, c)
	if err != nil {
		return nil, asConfigError(err)
	}
	return t, nil
}

func (s *spec) newPredicate(config map[string]*string) (connectors.Predicate, error) {
	c, err := s.def().ParseNullable(config)
	if err != nil {
		return nil, asConfigError(err)
	}
	p, err := s.predicate(c)
	if err != nil {
		return nil, asConfigError(err)
	}
	return p, nil
}

// asConfigError gives an error of configdef its Java class.
func asConfigError(err error) error {
	var e *connectors.Error
	if errors.As(err, &e) {
		return err
	}
	return &connectors.Error{JavaClass: connectors.ConfigException, Msg: err.Error(), Class: connectors.Configuration}
}

func replaceNullKey() configdef.Key {
	return configdef.Key{
		Name: replaceNull, Type: configdef.Boolean, Default: true, Importance: configdef.Medium,
		Doc: "Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value is used, otherwise null is used.",
	}
}

// nullDefaults reads the setting of KIP-1040. A null is an error in Java too, where
// the value is unboxed.
func nullDefaults(c *configdef.Values) (bool, error) {
	if c.IsNull(replaceNull) {
		return false, nullSetting(replaceNull)
	}
	return c.Bool(replaceNull), nil
}

// nullSetting is the error of a setting that is null where Java uses it unasked.
func nullSetting(name string) error {
	return &connectors.Error{JavaClass: nullPointerException, Msg: name + " is null", Class: connectors.Configuration}
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}
