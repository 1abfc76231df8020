package connectconfig

import (
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Describe lists the settings of a plugin as GET /connector-plugins/{plugin}/config
// does: its own, and after a connector's those of the framework. version is the
// query parameter of that name, nil without one; a version that the plugin doesn't
// have, or a range that cannot be read, is an error that REST answers with 400.
func Describe(plugins Plugins, p Plugin, version *string) ([]*configdef.KeyInfo, error) {
	c := catalog{plugins}
	if version != nil {
		if _, err := parseVersionRange(*version); err != nil {
			return nil, &connectors.Error{JavaClass: BadRequestException, Msg: err.Error(), Class: connectors.Configuration}
		}
		if err := c.checkVersion(p, version); err != nil {
			return nil, &connectors.Error{JavaClass: BadRequestException, Msg: err.Error(), Class: connectors.Configuration}
		}
	}
	out := []*configdef.KeyInfo{}
	if p.Def != nil {
		out = p.Def.Infos()
	}
	var framework *configdef.Def
	switch p.Kind {
	case connectors.SourceKind:
		framework = SourceDef()
	case connectors.SinkKind:
		framework = SinkDef()
	default:
		return out, nil
	}
	completeConnector(framework, c, p, nil)
	for _, k := range framework.Infos() {
		if p.Def == nil || p.Def.Key(k.Name) == nil {
			out = append(out, k)
		}
	}
	return out, nil
}

// CheckPath compares the connector class that was sent with the plugin in the path
// of a validation: the class must end with it, a last "Connector" of either aside.
// A configuration without a class passes; Validate refuses it.
func CheckPath(class *string, plugin string) error {
	if class == nil {
		return nil
	}
	short := func(s string) string { return strings.TrimSuffix(s, "Connector") }
	if strings.HasSuffix(short(*class), short(plugin)) {
		return nil
	}
	return &connectors.Error{JavaClass: BadRequestException, Class: connectors.Configuration,
		Msg: fmt.Sprintf("Included connector type %s does not match request type %s", *class, plugin)}
}

// Refusal is the message with which a configuration that has errors is refused when
// a connector is made or changed; "" for one without errors.
func Refusal(i configdef.Infos) string {
	if i.ErrorCount == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):", i.ErrorCount)
	for _, c := range i.Configs {
		for _, e := range c.Value.Errors {
			b.WriteString("\n" + e)
		}
	}
	b.WriteString("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
	return b.String()
}
