package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster/placement"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/connectconfig"
)

// Plugins answers what REST asks about plugins, and validates configurations.
type Plugins struct {
	Registry   *connectors.Registry
	Resolver   *configprovider.Resolver
	Worker     connectconfig.Worker
	Props      map[string]string // the worker's, for its connectors' clients
	Policy     kafkaclient.Policy
	Standalone bool
	GroupID    string
}

// PluginInfo is one row of GET /connector-plugins.
type PluginInfo struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

// toolsPackage has the connectors that Kafka tests itself with. They answer to their
// names here too, and are not listed, as on a Kafka Connect that was not started for
// tests.
const toolsPackage = "org.apache.kafka.connect.tools."

// List returns the plugins, the connectors alone if asked to.
func (p *Plugins) List(connectorsOnly bool) any {
	out := []PluginInfo{}
	for _, pl := range p.Registry.All() {
		if strings.HasPrefix(pl.Class, toolsPackage) {
			continue
		}
		if connectorsOnly && pl.Kind != connectors.SourceKind && pl.Kind != connectors.SinkKind {
			continue
		}
		out = append(out, PluginInfo{pl.Class, string(pl.Kind), pl.Version})
	}
	return out
}

// Config returns the settings of a plugin, by class or alias (KIP-769).
func (p *Plugins) Config(name, version string) (any, error) {
	plugins := connectconfig.FromRegistry(p.Registry)
	pl, ok := plugins.Find(name)
	if !ok {
		if strings.HasPrefix(name, "java.") { // a class that every JVM has, and no plugin
			return nil, Errorf(500, "Instantiation error")
		}
		return nil, Errorf(404, "Unknown plugin %s.", name)
	}
	if err := connectconfig.CheckVersion(plugins, pl, version); err != nil {
		return nil, Errorf(400, "%s", err.Error())
	}
	return connectconfig.Keys(pl), nil
}

// Validate answers PUT /connector-plugins/{plugin}/config/validate. The plugin's
// name in the path is only held against the end of the class, as Kafka Connect does.
// order has the keys as they were sent, which messages show; nil: sorted.
func (p *Plugins) Validate(ctx context.Context, plugin string, config map[string]*string, order []string) (any, error) {
	if err := connectconfig.CheckPath(config["connector.class"], plugin); err != nil {
		return nil, Errorf(400, "%s", err.Error())
	}
	infos, err := p.validate(ctx, config, order)
	if err != nil {
		// This endpoint shows the exception's text as it stands.
		msg := err.Error()
		if class := connectors.JavaClass(err); class == connectconfig.BadRequestException || strings.HasPrefix(msg, "Failed to find any class") {
			msg = connectconfig.BadRequestException + ": " + msg
		} else {
			msg = class + ": " + msg
		}
		return nil, Errorf(500, "%s", msg)
	}
	return infos, nil
}

// Check validates a configuration that is to be stored. Settings whose value is null
// do not pass, so that the answer has all that were given.
func (p *Plugins) Check(ctx context.Context, config map[string]*string) (map[string]string, error) {
	infos, err := p.validate(ctx, config, nil)
	if err != nil {
		if class := connectors.JavaClass(err); class == connectconfig.BadRequestException || strings.HasPrefix(err.Error(), "Failed to find any class") {
			return nil, Errorf(400, "%s", err.Error())
		}
		return nil, Errorf(500, "%s: %s", connectors.JavaClass(err), err.Error())
	}
	if why := connectconfig.Refusal(infos); why != "" {
		return nil, Errorf(400, "%s", why)
	}
	out := make(map[string]string, len(config))
	for k, v := range config {
		if v != nil {
			out[k] = *v
		}
	}
	if err := checkPlacement(out); err != nil {
		return nil, Errorf(400, "Connector configuration is invalid and contains the following 1 error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`", err)
	}
	return out, nil
}

// checkPlacement checks a connector's wishes about where it runs.
func checkPlacement(config map[string]string) error {
	if _, _, err := placement.ParseRules(config["placement.require"], config["placement.avoid"]); err != nil {
		return err
	}
	if w, ok := config["placement.weight"]; ok {
		if n, err := strconv.ParseFloat(strings.TrimSpace(w), 64); err != nil || n <= 0 {
			return fmt.Errorf("Invalid value %s for configuration placement.weight: it must be a number above 0", w)
		}
	}
	return nil
}

func (p *Plugins) validate(ctx context.Context, config map[string]*string, order []string) (configdef.Infos, error) {
	given := make(map[string]string, len(config))
	for k, v := range config {
		if v != nil {
			given[k] = *v
		}
	}
	resolved, _, err := p.Resolver.Resolve(ctx, given)
	if err != nil {
		return configdef.Infos{}, &connectors.Error{JavaClass: connectors.ConfigException, Class: connectors.Configuration, Msg: err.Error()}
	}
	full := make(map[string]*string, len(config))
	for k := range config {
		full[k] = nil
		if v, ok := resolved[k]; ok {
			full[k] = &v
		}
	}
	if order == nil {
		order = slices.Sorted(maps.Keys(full))
	}
	order = connectconfig.HashOrder(order, connectconfig.CopiedBuckets(len(full)))
	req := connectconfig.Request{Config: full, Order: order, Plugins: connectconfig.FromRegistry(p.Registry), Worker: p.Worker,
		Policy: connectconfig.Policy(p.Policy), ClientConfig: clientConfig,
		ClientFaults: func(client connectconfig.Client) []*configdef.Error { return p.tlsFaults(client, resolved) }}
	if !p.Standalone {
		req.Distributed = &connectconfig.Distributed{GroupID: p.GroupID}
	}
	if class := full["connector.class"]; class != nil {
		if pl, ok := p.Registry.Connector(*class); ok {
			plugin := pl.NewConnector()
			if v, ok := plugin.(connectors.Validator); ok {
				req.Validator = func(config map[string]string) (out map[string][]string, err error) {
					err = recovered(func() (err error) {
						out, err = v.Validate(ctx, config)
						return err
					})
					return out, err
				}
			}
			if e, ok := plugin.(connectors.ExactlyOnceSupport); ok {
				req.ExactlyOnce = e
			}
		}
	}
	var infos configdef.Infos
	err = recovered(func() (err error) {
		infos, err = connectconfig.Validate(req)
		return err
	})
	return infos, err
}

// tlsFaults returns what is wrong with the TLS of a connector's client, where it has
// TLS: files are looked for on this node.
func (p *Plugins) tlsFaults(client connectconfig.Client, config map[string]string) []*configdef.Error {
	var props map[string]string
	switch client {
	case connectconfig.Producer:
		props = kafkaclient.ProducerProps(p.Props, config, "")
	case connectconfig.Consumer:
		props = kafkaclient.ConsumerProps(p.Props, config, config["name"], "")
	default:
		props = kafkaclient.AdminProps(p.Props, config, "")
	}
	if !strings.HasSuffix(strings.ToUpper(strings.TrimSpace(props["security.protocol"])), "SSL") {
		return nil
	}
	_, err := kafkaclient.TLSConfig(props, false)
	return configdef.Errors(err)
}

// recovered turns a plugin's panic during validation into an error.
func recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &connectors.Error{JavaClass: "java.lang.RuntimeException", Msg: fmt.Sprintf("panic: %v", r)}
			if e, ok := r.(error); ok {
				err = errors.Join(err, e)
			}
		}
	}()
	return f()
}

// clientConfig declares the properties of Kafka's clients for validation.
func clientConfig(client connectconfig.Client, property string) (configdef.Key, bool) {
	kind := map[connectconfig.Client]kafkaclient.Kind{connectconfig.Producer: kafkaclient.Producer, connectconfig.Consumer: kafkaclient.Consumer, connectconfig.Admin: kafkaclient.Admin}[client]
	e, ok := kafkaclient.Lookup(kind, property)
	if !ok || e.Documentation == "" { // or not declared in Kafka
		return configdef.Key{}, false
	}
	k := configdef.Key{Name: e.Name, Doc: e.Documentation, Type: clientTypes[e.Type], Importance: clientImportance[e.Importance]}
	switch {
	case e.Required && e.Type == kafkaclient.List: // a client says so only when it starts
		k.Default = ""
	case e.Required:
		k.Default = configdef.Required
	case property == "partition.assignment.strategy": // a list of classes, not of their names
		k.Default = "class " + strings.ReplaceAll(e.Default, ",", ",class ")
	case !e.Null:
		k.Default = e.Default
	}
	return k, true
}

var clientTypes = map[kafkaclient.Type]configdef.Type{kafkaclient.Boolean: configdef.Boolean, kafkaclient.Int: configdef.Int, kafkaclient.Short: configdef.Short,
	kafkaclient.Long: configdef.Long, kafkaclient.Double: configdef.Double, kafkaclient.String: configdef.String, kafkaclient.List: configdef.List,
	kafkaclient.Class: configdef.ClassType, kafkaclient.Password: configdef.PasswordType}

var clientImportance = map[string]configdef.Importance{"HIGH": configdef.High, "MEDIUM": configdef.Medium, "LOW": configdef.Low}
