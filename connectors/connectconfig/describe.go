package connectconfig

import (
	"fmt"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Describe lists the settings of a plugin as GET /connector-plugins/{plugin}/config
// does (see Keys). version is the query parameter of that name, nil without one; a
// version that the plugin doesn't have, or a range that cannot be read, is an error
// that REST answers with 400.
func Describe(plugins Plugins, p Plugin, version *string) ([]*configdef.KeyInfo, error) {
	if version != nil {
		if err := CheckVersion(plugins, p, *version); err != nil {
			return nil, &connectors.Error{JavaClass: BadRequestException, Msg: err.Error(), Class: connectors.Configuration}
		}
	}
	return Keys(p), nil
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
