package jsonschema

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
	AdditionalSetting    = "object.additional.properties"
	NonRequiredSetting   = "use.optional.for.nonrequired"
	DecimalSetting       = "decimal.format"
	SingletonSetting     = "flatten.singleton.unions"
	PreserveSetting      = "preserve.additional.properties"
	FailInvalidSetting   = "json.fail.invalid.schema"
	IndentSetting        = "json.indent.output"
)

// Def returns the converter's settings.
func Def() *configdef.Def {
	d := registry.Def()
	for _, k := range []configdef.Key{
		{Name: GeneralizedSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Give enums and unions the form that they have in all formats, instead of that of JSON Schema alone."},
		{Name: IgnoreDefaultSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Write null for a field that is null although it has a default. Otherwise the default is written."},
		{Name: CacheSizeSetting, Type: configdef.Int, Default: 1000, Importance: configdef.Low,
			Doc: "How many schemas the converter remembers, of those that were written and of those that were read."},
		{Name: AdditionalSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Medium,
			Doc: "Whether the schemas of structs allow further properties. With false they say `additionalProperties: false`."},
		{Name: NonRequiredSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Make a field optional whose property is not in the schema's list `required`."},
		{Name: DecimalSetting, Type: configdef.String, Default: "BASE64", Validator: configdef.OneOfAnyCase("BASE64", "NUMERIC"), Importance: configdef.Low,
			Doc: "How decimals are written: BASE64, their bytes, or NUMERIC, a JSON number. Both are read. In any case of letters."},
		{Name: SingletonSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
			Doc: "Take a union with a single branch for that branch."},
		{Name: PreserveSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Keeping properties that the schema doesn't name is not supported: only false is valid.",
			Validator: configdef.Lambda(func(name string, value any) error {
				if value == true {
					return configdef.InvalidValue(name, "true", "keeping properties that the schema does not name is not supported")
				}
				return nil
			}, "false")},
		{Name: FailInvalidSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Check each record against its schema, when it is written and when it is read; one that does not match is an error."},
		{Name: IndentSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Write each member of an object on a line of its own, indented."},
	} {
		d.Define(k)
	}
	return d
}

// settings reads a configuration.
func settings(config map[string]string) (*configdef.Values, *Mapping, error) {
	v, err := Def().Parse(config)
	if err != nil {
		return nil, nil, codec.ConfigError(err.Error())
	}
	numeric, err := codec.Settings(config).OneOfFold(DecimalSetting, "BASE64", "NUMERIC")
	if err != nil {
		return nil, nil, err
	}
	return v, &Mapping{
		GeneralizedSumTypes: v.Bool(GeneralizedSetting),
		IgnoreDefaults:      v.Bool(IgnoreDefaultSetting),
		NoAdditional:        !v.Bool(AdditionalSetting),
		OptionalNonRequired: v.Bool(NonRequiredSetting),
		NumericDecimal:      numeric == "NUMERIC",
		KeepSingletonUnions: !v.Bool(SingletonSetting),
	}, nil
}
