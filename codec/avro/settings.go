package avro

import (
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/registry"
)

// Settings of the mapping, under Confluent's names. Those of the registry are in
// codec/registry.
const (
	EnhancedSetting       = "enhanced.avro.schema.support"
	SumTypesSetting       = "generalized.sum.type.support"
	ScrubSetting          = "scrub.invalid.names"
	MetadataSetting       = "connect.meta.data"
	DiscardDocsSetting    = "discard.type.doc.default"
	OptionalKeysSetting   = "allow.optional.map.keys"
	FlattenSetting        = "flatten.singleton.unions"
	IgnoreDefaultsSetting = "ignore.default.for.nullables"
	CacheSizeSetting      = "schemas.cache.config"
)

// Def returns the settings of the converter.
func Def() *configdef.Def {
	return registry.Def().
		Define(configdef.Key{Name: EnhancedSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Keep enums as Avro enums, and name the fields of a union's struct by the full names of its types."}).
		Define(configdef.Key{Name: SumTypesSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Mark enums and unions by the parameters that the converters of all formats share, and number the fields of a union's struct."}).
		Define(configdef.Key{Name: ScrubSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Put underscores for what Avro does not allow in names, and an x before a leading digit. Without it such names are an error."}).
		Define(configdef.Key{Name: IgnoreDefaultsSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Write null for a null in a field that has a default, not the default."}).
		Define(configdef.Key{Name: MetadataSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
			Doc: "Keep names, versions, documentation, parameters, defaults and int8 and int16 of Connect schemas as properties (connect.…) of Avro schemas."}).
		Define(configdef.Key{Name: DiscardDocsSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Take a field's documentation and default from the Avro field alone."}).
		Define(configdef.Key{Name: OptionalKeysSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Write a map whose keys are optional strings as an Avro map, not as an array of pairs."}).
		Define(configdef.Key{Name: FlattenSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
			Doc: "Read a union of one type as that type."}).
		Define(configdef.Key{Name: CacheSizeSetting, Type: configdef.Int, Default: 1000, Importance: configdef.Low,
			Doc: "How many schemas the converter remembers with their plans, in each direction."})
}

func optionsOf(v *configdef.Values) options {
	return options{
		enhanced: v.Bool(EnhancedSetting), sumTypes: v.Bool(SumTypesSetting), scrub: v.Bool(ScrubSetting),
		metadata: v.Bool(MetadataSetting), discardDocs: v.Bool(DiscardDocsSetting), optionalKeys: v.Bool(OptionalKeysSetting),
		flattenSingle: v.Bool(FlattenSetting), ignoreDefaults: v.Bool(IgnoreDefaultsSetting),
	}
}
