package protobuf

import (
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/registry"
)

// Settings of the converter, under Confluent's names, besides those that all
// converters with a registry have.
const (
	GeneralizedSetting   = "generalized.sum.type.support"
	IgnoreDefaultSetting = "ignore.default.for.nullables"
	CacheSizeSetting     = "schemas.cache.config"
	EnhancedSetting      = "enhanced.protobuf.schema.support"
	ScrubSetting         = "scrub.invalid.names"
	IntEnumsSetting      = "int.for.enums"
	OptionalSetting      = "optional.for.nullables"
	Proto2Setting        = "optional.for.proto2"
	WrapperSetting       = "wrapper.for.nullables"
	RawWrapperSetting    = "wrapper.for.raw.primitives"
	StructNullsSetting   = "generate.struct.for.nulls"
	UnionIndexSetting    = "generate.index.for.unions"
	FlattenSetting       = "flatten.unions"
)

// Def returns the converter's settings.
func Def() *configdef.Def {
	d := registry.Def()
	boolean := func(name string, def bool, imp configdef.Importance, doc string) {
		d.Define(configdef.Key{Name: name, Type: configdef.Boolean, Default: def, Importance: imp, Doc: doc})
	}
	boolean(GeneralizedSetting, false, configdef.Medium, "Give enums and unions the form that they have in all formats, instead of that of Protobuf alone.")
	boolean(IgnoreDefaultSetting, false, configdef.Medium, "Write nothing for a field that is null although it has a default. Otherwise the default is written.")
	d.Define(configdef.Key{Name: CacheSizeSetting, Type: configdef.Int, Default: 1000, Importance: configdef.Low,
		Doc: "How many schemas the converter remembers, of those that were written and of those that were read."})
	boolean(EnhancedSetting, false, configdef.Medium, "Give the schemas of messages, enums and oneofs that are read their full names, with the package.")
	boolean(ScrubSetting, false, configdef.Medium, "Replace what cannot be in a Protobuf name, in the names of schemas and fields that are written, by underscores.")
	boolean(IntEnumsSetting, false, configdef.Medium, "Read enums as numbers instead of as the names of their values.")
	boolean(OptionalSetting, false, configdef.Medium, "Write optional fields with the label `optional`, and read fields without it as required.")
	boolean(Proto2Setting, true, configdef.Medium, "Whether `optional` in proto2 means that a field that isn't there is null. With false it has its default.")
	boolean(WrapperSetting, false, configdef.Medium, "Write optional scalars as the wrapper messages of google.protobuf, and read these as optional scalars.")
	boolean(RawWrapperSetting, true, configdef.Medium, "Read a record that is a wrapper message as the scalar that it holds.")
	boolean(StructNullsSetting, false, configdef.Medium, "Read a message that isn't there as a struct of defaults instead of as null.")
	boolean(UnionIndexSetting, true, configdef.Low, "Put an underscore and the oneof's index behind the names of the fields that stand for oneofs.")
	boolean(FlattenSetting, false, configdef.Low, "Read the members of a oneof as fields of the struct around it instead of as a struct of their own.")
	return d
}

// settings reads a configuration.
func settings(config map[string]string) (*configdef.Values, *Mapping, error) {
	v, err := Def().Parse(config)
	if err != nil {
		return nil, nil, codec.ConfigError(err.Error())
	}
	return v, &Mapping{
		GeneralizedSumTypes: v.Bool(GeneralizedSetting),
		IgnoreDefaults:      v.Bool(IgnoreDefaultSetting),
		Enhanced:            v.Bool(EnhancedSetting),
		ScrubNames:          v.Bool(ScrubSetting),
		IntEnums:            v.Bool(IntEnumsSetting),
		OptionalNullables:   v.Bool(OptionalSetting),
		NoProto2Optional:    !v.Bool(Proto2Setting),
		WrapperNullables:    v.Bool(WrapperSetting),
		NoRawWrappers:       !v.Bool(RawWrapperSetting),
		StructForNulls:      v.Bool(StructNullsSetting),
		NoUnionIndex:        !v.Bool(UnionIndexSetting),
		FlattenUnions:       v.Bool(FlattenSetting),
	}, nil
}
