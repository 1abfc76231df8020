package connectconfig

import (
	"fmt"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Keys describes a plugin's settings as GET /connector-plugins/{plugin}/config does:
// those of the plugin itself, then, for connectors, the framework's.
func Keys(p Plugin) []*configdef.KeyInfo {
	own := []*configdef.KeyInfo{}
	if p.Def != nil {
		own = p.Def.Infos()
	}
	var framework *configdef.Def
	switch p.Kind {
	case connectors.SourceKind:
		framework = SourceDef()
	case connectors.SinkKind:
		framework = SinkDef()
	default:
		return own
	}
	version := *framework.Key("connector.plugin.version")
	version.Default = p.Version
	framework.Redefine(version)
	for _, k := range framework.Infos() {
		if p.Def == nil || p.Def.Key(k.Name) == nil {
			own = append(own, k)
		}
	}
	return own
}

// CheckVersion says whether a plugin is there in a wanted version: a range as Maven
// writes them, or "latest"; "" is any.
func CheckVersion(plugins Plugins, p Plugin, version string) error {
	if version == "" {
		return nil
	}
	if isUnreadable(version) {
		return fmt.Errorf("Invalid version specification: %s", version) // Kafka Connect's text
	}
	return catalog{plugins}.checkVersion(p, &version)
}
