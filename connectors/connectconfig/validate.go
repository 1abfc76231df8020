package connectconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// BadRequestException is the Java class of the error of a configuration that names
// no connector.
const BadRequestException = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException"

// Distributed holds what only a worker of a cluster checks.
type Distributed struct {
	GroupID           string // the workers' own group
	ExactlyOnceSource bool   // exactly.once.source.support is enabled
}

// Request is one configuration to validate, with what it is validated against.
type Request struct {
	// Config is the configuration; references to config providers are resolved.
	Config map[string]*string
	// Order gives the keys in the order in which they were sent; only a message
	// shows it. Nil: sorted.
	Order []string

	Plugins      Plugins
	Worker       Worker
	Policy       Policy // "": All
	ClientConfig ClientConfig
	// ClientFaults looks at the properties that a client would have together, the
	// worker's too, and returns what is wrong, by property; nil: nothing is looked at.
	// It is asked where overrides concern TLS.
	ClientFaults func(client Client) []*configdef.Error
	Distributed  *Distributed // nil: standalone

	// Validator is the connector's own check of its settings against each other
	// (Connector.validate); nil: none beyond its Def. It gets the configuration
	// without nulls and returns messages by key.
	Validator func(config map[string]string) (map[string][]string, error)
	// ExactlyOnce is what a source connector says of itself; nil: it says nothing.
	ExactlyOnce connectors.ExactlyOnceSupport

	// Extra declares settings that Kafka Connect does not have. They come last.
	Extra *configdef.Def
}

// infos collects an answer.
type infos struct {
	errors  int
	groups  []string
	configs []configdef.Info
}

func (i *infos) addGroup(group string) {
	if group != "" && !slices.Contains(i.groups, group) {
		i.groups = append(i.groups, group)
	}
}

func (i *infos) add(prefix string, k *configdef.Key, v *configdef.ConfigValue) {
	info := configdef.Info{Value: v.Info(prefix, k)}
	if k != nil {
		i.addGroup(k.Group)
		info.Definition = k.Info(prefix)
	}
	i.configs = append(i.configs, info)
	i.errors += len(v.Errors)
}

// addPart adds a value of a converter or client; Kafka Connect counts those once,
// however many messages they have.
func (i *infos) addPart(prefix string, k *configdef.Key, v *configdef.ConfigValue) {
	before := i.errors
	i.add(prefix, k, v)
	i.errors = min(i.errors, before+1)
}

func (i *infos) merge(other *infos) {
	for _, g := range other.groups {
		i.addGroup(g)
	}
	i.errors += other.errors
	i.configs = append(i.configs, other.configs...)
}

// Validate checks a connector configuration. The error says that there could be no
// answer: no connector class or an unknown one (*connectors.Error with the class
// BadRequestException), or a definition or value that Kafka Connect cannot get past.
func Validate(r Request) (configdef.Infos, error) {
	plugins := catalog{r.Plugins}
	connector, err := r.connector(plugins)
	if err != nil {
		return configdef.Infos{}, err
	}
	name := *r.Config["connector.class"]
	if v := r.Config["connector.plugin.version"]; v != nil && !isUnreadable(*v) && plugins.checkVersion(connector, v) != nil {
		// Without the plugin there is nothing to go on with.
		d := CommonDef()
		completeConnector(d, plugins, connector, r.Config)
		hideConverterVersions(d, plugins)
		d.SetClasses(plugins)
		return result(name, r.generate(d, nil, addNullErrors(r, d.Validate(r.Config)), nil)), nil
	}
	d, err := r.Def(connector)
	if err != nil {
		return configdef.Infos{}, err
	}
	validated := d.Validate(r.Config)
	validated = r.crossCheck(connector, validated)
	validated = addNullErrors(r, validated)

	own, err := r.validateOwn(connector)
	if err != nil {
		return configdef.Infos{}, err
	}
	out := r.generate(d, connector.Def, validated, own)
	for _, client := range []Client{Producer, Consumer, Admin} {
		if !r.usesClient(client, connector.Kind) {
			continue
		}
		part, err := r.overrides(client)
		if err != nil {
			return configdef.Infos{}, err
		}
		out.merge(part)
	}
	for _, key := range []string{"header.converter", "key.converter", "value.converter"} {
		if part := r.converter(plugins, key, validated); part != nil {
			out.merge(part)
		}
	}
	if r.Extra != nil {
		part := &infos{}
		for _, v := range r.Extra.Validate(r.Config) {
			part.add("", r.Extra.Key(v.Name), v)
		}
		out.merge(part)
	}
	return result(name, out), nil
}

func result(name string, i *infos) configdef.Infos {
	return configdef.Infos{Name: name, ErrorCount: i.errors, Groups: append([]string{}, i.groups...), Configs: append([]configdef.Info{}, i.configs...)}
}

// connector finds the connector's plugin.
func (r *Request) connector(plugins catalog) (Plugin, error) {
	class := r.Config["connector.class"]
	if class == nil {
		return Plugin{}, &connectors.Error{JavaClass: BadRequestException, Class: connectors.Configuration,
			Msg: "Connector config " + r.javaMap() + " contains no connector type"}
	}
	p, ok := plugins.Find(*class, connectors.SourceKind, connectors.SinkKind)
	if ok && strings.TrimSpace(*class) == *class {
		return p, nil
	}
	var available []string
	for _, kind := range []connectors.Kind{connectors.SinkKind, connectors.SourceKind} {
		for _, p := range plugins.List(kind) {
			available = append(available, fmt.Sprintf("PluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, type=%s, typeName='%s', location='classpath'}",
				p.Class, p.Class, p.Version, p.Version, p.Kind, p.Kind))
		}
	}
	return Plugin{}, &connectors.Error{JavaClass: BadRequestException, Class: connectors.Configuration,
		Msg: "Failed to find any class that implements Connector and which name matches " + *class + ", available connectors are: " + strings.Join(available, ", ")}
}

// order is the order of the configuration's keys.
func (r *Request) order() []string {
	if r.Order != nil {
		return r.Order
	}
	return slices.Sorted(maps.Keys(r.Config))
}

// javaMap renders the configuration as Map.toString does.
func (r *Request) javaMap() string {
	order := r.order()
	parts := make([]string, len(order))
	for i, key := range order {
		value := "null"
		if p := r.Config[key]; p != nil {
			value = *p
		}
		parts[i] = key + "=" + value
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// Def returns the framework's settings for this configuration of a connector: those
// of its kind, completed by the worker's defaults and by the transformations and
// predicates that it names.
func (r *Request) Def(connector Plugin) (*configdef.Def, error) {
	plugins := catalog{r.Plugins}
	d := SinkDef()
	if connector.Kind == connectors.SourceKind {
		d = SourceDef()
	}
	completeConnector(d, plugins, connector, r.Config)
	completeConverters(d, plugins, r.Worker, r.Config)
	if err := Enrich(d, r.Plugins, r.Config); err != nil {
		return nil, &connectors.Error{JavaClass: connectors.ConfigException, Msg: err.Error(), Class: connectors.Configuration}
	}
	return d.SetClasses(plugins), nil
}

// hideConverterVersions lets the version of a converter be seen only beside its class,
// without a proposal, and holds the class to its kind.
func hideConverterVersions(d *configdef.Def, plugins catalog) {
	for name, kind := range converterKinds {
		d.Key(name + ".plugin.version").Recommender = versionRecommender{plugins: plugins, class: name, silent: true}
		d.Key(name).Validator = configdef.Lambda(func(_ string, value any) error {
			if class, ok := value.(configdef.Class); ok {
				return plugins.check(string(class), kind, nil)
			}
			return nil
		}, "")
	}
}

// valueOf returns the value of that name, and adds one where there is none.
func valueOf(values *[]*configdef.ConfigValue, name string) *configdef.ConfigValue {
	for _, v := range *values {
		if v.Name == name {
			return v
		}
	}
	v := &configdef.ConfigValue{Name: name, Visible: true}
	*values = append(*values, v)
	return v
}

// addNullErrors marks every setting that was given as null.
func addNullErrors(r Request, values []*configdef.ConfigValue) []*configdef.ConfigValue {
	for _, key := range r.order() {
		if r.Config[key] == nil {
			valueOf(&values, key).AddError("Null value can not be supplied as the configuration value.")
		}
	}
	return values
}

// validateOwn runs the connector's own definition and check.
func (r *Request) validateOwn(connector Plugin) ([]*configdef.ConfigValue, error) {
	if connector.Def == nil {
		return nil, nil
	}
	values := connector.Def.Copy().SetClasses(catalog{r.Plugins}).Validate(r.Config)
	if r.Validator == nil {
		return values, nil
	}
	messages, err := r.Validator(withoutNulls(r.Config))
	if err != nil {
		return nil, fmt.Errorf("validating the configuration of %s: %w", connector.Class, err)
	}
	for _, key := range slices.Sorted(maps.Keys(messages)) {
		for _, m := range messages[key] {
			valueOf(&values, key).AddError(m)
		}
	}
	return values, nil
}

// generate pairs keys and values: first the values that nobody defined, then the
// framework's keys, then the connector's. Of two values of a name the later counts.
func (r *Request) generate(d, ownDef *configdef.Def, values, own []*configdef.ConfigValue) *infos {
	out := &infos{groups: slices.Clone(d.Groups())}
	keys := slices.Clone(d.Keys())
	if ownDef != nil {
		for _, g := range ownDef.Groups() {
			out.addGroup(g)
		}
		for _, k := range ownDef.Keys() {
			at := slices.IndexFunc(keys, func(have *configdef.Key) bool { return have.Name == k.Name })
			if at >= 0 {
				keys[at] = k
			} else {
				keys = append(keys, k)
			}
		}
	}
	defined := make(map[string]bool, len(keys))
	for _, k := range keys {
		defined[k.Name] = true
	}
	byName := make(map[string]*configdef.ConfigValue)
	var undefined []string
	for _, v := range slices.Concat(values, own) {
		byName[v.Name] = v
		if !defined[v.Name] {
			undefined = append(undefined, v.Name)
		}
	}
	slices.Reverse(undefined) // computeIfAbsent, which adds them, puts a name before those of its bucket
	for _, name := range HashOrder(undefined, GrownBuckets(len(values))) {
		out.add("", nil, byName[name])
	}
	for _, k := range keys {
		if v := byName[k.Name]; v != nil {
			out.add("", k, v)
		}
	}
	return out
}

// converter validates the settings of a converter that the connector itself names;
// nil where it names none, or one with which something is wrong.
func (r *Request) converter(plugins catalog, key string, validated []*configdef.ConfigValue) *infos {
	class := r.Config[key]
	if class == nil || len(valueOf(&validated, key).Errors) > 0 || len(valueOf(&validated, key+".plugin.version").Errors) > 0 {
		return nil
	}
	p, ok := plugins.Find(*class, converterKinds[key])
	if !ok || p.Def == nil {
		return nil
	}
	prefix := key + "."
	kind := strings.TrimSuffix(key, ".converter")
	props := map[string]*string{}
	for k, v := range r.Config {
		if name, ok := strings.CutPrefix(k, prefix); ok && name != "" {
			props[name] = v
		}
	}
	if props["converter.type"] == nil {
		props["converter.type"] = &kind
	}
	byName := make(map[string]*configdef.ConfigValue)
	for _, v := range p.Def.Copy().SetClasses(plugins).Validate(props) {
		byName[v.Name] = v
	}
	out := &infos{}
	for _, name := range grownOrder(p.Def.Names()) {
		out.addPart(prefix, p.Def.Key(name), byName[name])
	}
	return out
}

func withoutNulls(config map[string]*string) map[string]string {
	out := make(map[string]string, len(config))
	for k, v := range config {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}
