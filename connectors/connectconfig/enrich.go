package connectconfig

import (
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Worker holds the worker's converters, which are what a connector gets that names
// none.
type Worker struct {
	KeyConverter, ValueConverter, HeaderConverter string // class names
}

// CommonDef returns the settings of every connector as ConnectorConfig declares
// them: converters without default.
func CommonDef() *configdef.Def { return configdef.New(commonKeys()...) }

// SourceDef returns the settings of source connectors; SinkDef and it are what
// documentation and GET …/config show: converters have no default there.
func SourceDef() *configdef.Def { return configdef.New(append(commonKeys(), sourceKeys()...)...) }

// SinkDef returns the settings of sink connectors.
func SinkDef() *configdef.Def { return configdef.New(append(commonKeys(), sinkKeys()...)...) }

var converterKinds = map[string]connectors.Kind{
	"key.converter":    connectors.ConverterKind,
	"value.converter":  connectors.ConverterKind,
	"header.converter": connectors.HeaderConverterKind,
}

func text(props map[string]*string, key string) *string { return props[key] }

// completeConnector fills in what depends on the connector's own plugin.
func completeConnector(d *configdef.Def, plugins catalog, connector Plugin, props map[string]*string) {
	version := text(props, "connector.plugin.version")
	class := *d.Key("connector.class")
	class.Validator = configdef.Lambda(func(string, any) error {
		return plugins.checkVersion(connector, version)
	}, "")
	d.Redefine(class)
	key := *d.Key("connector.plugin.version")
	key.Default = connector.Version
	d.Redefine(key)
	d.Key(key.Name).Validator = versionValidator(version, func() (Plugin, bool) { return connector, true }, plugins)
	d.Key(key.Name).Recommender = versionRecommender{plugins: plugins, kinds: []connectors.Kind{connector.Kind}, fixed: connector.Class}
}

// versionValidator holds a version to what the plugin that find returns has; without
// a plugin there is nothing to hold it to.
func versionValidator(version *string, find func() (Plugin, bool), plugins catalog) configdef.Validator {
	return configdef.Lambda(func(string, any) error {
		if p, ok := find(); ok {
			return plugins.checkVersion(p, version)
		}
		return nil
	}, "version range (Maven syntax) or latest")
}

// completeConverters fills in the worker's defaults, the versions and the
// recommendations of the converter keys.
func completeConverters(d *configdef.Def, plugins catalog, worker Worker, props map[string]*string) {
	for name, kind := range converterKinds {
		versionKey := name + ".plugin.version"
		inForce := map[string]string{"key.converter": worker.KeyConverter, "value.converter": worker.ValueConverter, "header.converter": worker.HeaderConverter}[name]
		class := *d.Key(name)
		if inForce != "" {
			class.Default = configdef.Class(inForce)
		}
		// Of a class that the worker has chosen the version is not looked at.
		given := props[name]
		if given != nil {
			inForce = *given
		}
		version := text(props, versionKey)
		class.Validator = configdef.Lambda(func(_ string, value any) error {
			c, ok := value.(configdef.Class)
			if !ok || given == nil {
				return nil
			}
			if strings.TrimSpace(*given) != *given { // as a class it is read without the blanks, as a plugin with them
				return configdef.Errorf("Failed to load class %s: %s", *given, *given)
			}
			if version != nil && isUnreadable(*version) {
				return plugins.check(string(c), kind, nil) // the version's own key tells of it
			}
			return plugins.check(string(c), kind, version)
		}, "A concrete class that implements "+interfaceName(kind)+" and has a public no-argument constructor")
		class.Recommender = classRecommender{plugins, kind}
		// The worker's own converter has been checked when it started.
		completed := class
		completed.Validator = nil
		d.Redefine(completed)
		d.Key(name).Validator = class.Validator

		find := func() (Plugin, bool) {
			if inForce == "" || strings.TrimSpace(inForce) != inForce {
				return Plugin{}, false
			}
			return plugins.Find(inForce, kind)
		}
		v := *d.Key(versionKey)
		if p, ok := find(); ok {
			v.Default = p.Version
		}
		d.Redefine(v)
		d.Key(versionKey).Recommender = versionRecommender{plugins: plugins, kinds: []connectors.Kind{kind}, class: name}
		if given != nil {
			d.Key(versionKey).Validator = versionValidator(version, find, plugins)
		}
	}
}

// alias describes one of the two kinds of plugins that a connector lists by alias.
type alias struct {
	list  string // the key of the list
	group string
	kind  connectors.Kind
}

var aliasKinds = [...]alias{
	{"transforms", "Transforms", connectors.TransformationKind},
	{"predicates", "Predicates", connectors.PredicateKind},
}

// Enrich adds the settings of the transformations and predicates that props names
// to d (ConnectorConfig.enrich). A key that would be there twice is an error.
func Enrich(d *configdef.Def, plugins Plugins, props map[string]*string) error {
	c := catalog{plugins}
	for _, a := range aliasKinds {
		given := props[a.list]
		if given == nil {
			continue
		}
		var done []string
		for _, name := range configdef.SplitList(*given) {
			if slices.Contains(done, name) {
				continue
			}
			done = append(done, name)
			if err := a.enrich(d, c, name, props); err != nil {
				return err
			}
		}
	}
	return nil
}

func define(d *configdef.Def, k configdef.Key) error {
	if d.Key(k.Name) != nil {
		return configdef.Errorf("Configuration %s is defined twice.", k.Name)
	}
	d.Define(k)
	return nil
}

func (a alias) enrich(d *configdef.Def, plugins catalog, name string, props map[string]*string) error {
	prefix := a.list + "." + name + "."
	group := a.group + ": " + name
	typeKey, versionKey := prefix+"type", prefix+"plugin.version"
	what := interfaceName(a.kind)
	version := text(props, versionKey)
	err := define(d, configdef.Key{
		Name: typeKey, Type: configdef.ClassType, Default: configdef.Required, Importance: configdef.High,
		Validator: configdef.Lambda(func(_ string, value any) error {
			_, negated := props[prefix+"negate"]
			_, hasPredicate := props[prefix+"predicate"]
			if a.kind == connectors.TransformationKind && negated && !hasPredicate {
				return configdef.Errorf("Config '%snegate' was provided but there is no config '%spredicate' defining a predicate to be negated.", prefix, prefix)
			}
			if class, ok := value.(configdef.Class); ok {
				return plugins.check(string(class), a.kind, version)
			}
			return nil
		}, "valid configs for "+name+" "+strings.ToLower(what)),
		Doc:   "Class for the '" + name + "' " + strings.ToLower(what) + ".",
		Group: group, Order: 0, Width: configdef.WidthLong, DisplayName: what + " type for " + name,
		Recommender: classRecommender{plugins, a.kind},
	})
	if err != nil {
		return err
	}
	var plugin Plugin
	found := false
	if class := props[typeKey]; class != nil && strings.TrimSpace(*class) == *class {
		plugin, found = plugins.Find(*class, a.kind)
	}
	versionDefault := any(nil)
	if found {
		versionDefault = plugin.Version
	}
	err = define(d, configdef.Key{
		Name: versionKey, Type: configdef.String, Default: versionDefault, Importance: configdef.High,
		Doc:   "Version of the '" + name + "' " + strings.ToLower(what) + ".",
		Group: group, Order: 1, Width: configdef.WidthLong, DisplayName: what + " version for " + name,
		Recommender: versionRecommender{plugins: plugins, kinds: []connectors.Kind{a.kind}, class: typeKey, alwaysSeen: true},
	})
	if err != nil {
		return err
	}
	d.Key(versionKey).Validator = versionValidator(version, func() (Plugin, bool) { return plugin, found }, plugins)
	if !found || plugins.checkVersion(plugin, version) != nil {
		return nil
	}
	own := configdef.New()
	if a.kind == connectors.TransformationKind {
		own.Define(configdef.Key{Name: "predicate", Type: configdef.String, Importance: configdef.Medium,
			Doc: "The alias of a predicate used to determine whether to apply this transformation."})
		own.Define(configdef.Key{Name: "negate", Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Whether the configured predicate should be negated."})
	}
	if plugin.Def != nil {
		for _, k := range plugin.Def.Keys() {
			if err := define(own, *k); err != nil {
				return err
			}
		}
		own.TakeRules(plugin.Def)
	}
	for _, k := range own.Keys() {
		if d.Key(prefix+k.Name) != nil {
			return configdef.Errorf("Configuration %s%s is defined twice.", prefix, k.Name)
		}
	}
	d.Embed(prefix, group, 2, own)
	return nil
}
