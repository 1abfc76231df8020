package transforms

import (
	"math"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/codec/javatext"
	"github.com/troupeio/troupe/connectors"
)

const timestampPurpose = "converting timestamp formats"

// timeForm is a form in which an instant is stored.
type timeForm uint8

const (
	asString timeForm = iota
	asUnix
	asDate
	asTime
	asTimestamp
)

var timeForms = []string{"string", "unix", "Date", "Time", "Timestamp"}

// schema returns the schema of the form.
func (f timeForm) schema(optional bool) *data.Schema {
	s := [...][2]*data.Schema{
		{data.StringSchema, data.OptionalStringSchema},
		{data.Int64Schema, data.OptionalInt64Schema},
		{data.DateSchema, data.OptionalDateSchema},
		{data.TimeSchema, data.OptionalTimeSchema},
		{data.TimestampSchema, data.OptionalTimestampSchema},
	}[f]
	if optional {
		return s[1]
	}
	return s[0]
}

// timestampConverter changes the form of one field, or of the whole.
type timestampConverter struct {
	side        side
	field       string
	noField     bool // the setting is null
	target      timeForm
	format      *javatext.SimpleDateFormat
	precision   string
	withDefault bool
	cache       *data.SchemaCache[*timestampPlan]
	arena       data.StructArena
}

// timestampPlan is what becomes of the structs of one schema.
type timestampPlan struct {
	schema *data.Schema
	slot   int // of the field, -1 when there is none
}

func timestampConverterSpec() spec {
	return spec{
		name: "TimestampConverter", sides: true,
		paths: []string{"field"},
		keys: []configdef.Key{
			{Name: "field", Type: configdef.String, Default: "", Importance: configdef.High,
				Doc: "The field containing the timestamp, or empty if the entire value is a timestamp"},
			{Name: "target.type", Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
				Validator: configdef.OneOf(timeForms...), Doc: "The desired timestamp representation: string, unix, Date, Time, or Timestamp"},
			{Name: "format", Type: configdef.String, Default: "", Importance: configdef.Medium,
				Doc: "A SimpleDateFormat-compatible format for the timestamp. Used to generate the output when type=string or used to parse the input if the input is a string."},
			{Name: "unix.precision", Type: configdef.String, Default: "milliseconds", Importance: configdef.Low,
				Validator: configdef.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds"),
				Doc: "The desired Unix precision for the timestamp: seconds, milliseconds, microseconds, or nanoseconds. " +
					"Used to generate the output when type=unix or used to parse the input if the input is a Long." +
					"Note: This SMT will cause precision loss during conversions from, and to, values with sub-millisecond components."},
			replaceNullKey(), addedSyntaxKey(),
		},
		transform: newTimestampConverter,
	}
}

func newTimestampConverter(side side, c *configdef.Values) (connectors.Transformation, error) {
	t := &timestampConverter{
		side: side, field: c.String("field"), noField: c.IsNull("field"), precision: c.String("unix.precision"),
		cache: data.NewSchemaCache[*timestampPlan](cachedSchemas),
	}
	var err error
	if t.withDefault, err = nullDefaults(c); err != nil {
		return nil, err
	}
	for i, name := range timeForms {
		if name == c.String("target.type") {
			t.target = timeForm(i)
		}
	}
	pattern := c.String("format")
	if strings.TrimSpace(pattern) == "" {
		if t.target == asString {
			return nil, connectors.ConfigError("TimestampConverter requires format option to be specified when using string timestamps")
		}
		return t.syntax(c)
	}
	f, err := javatext.NewSimpleDateFormat(pattern)
	if err != nil {
		return nil, invalidValue("TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: "+pattern,
			illegalArgument+": "+err.Error(), "")
	}
	t.format = f
	return t.syntax(c)
}

func (t *timestampConverter) syntax(c *configdef.Values) (connectors.Transformation, error) {
	if usesPaths(c) && !t.noField {
		return t.withPaths()
	}
	return t, nil
}

// Apply implements [connectors.Transformation].
func (t *timestampConverter) Apply(r *data.Record) (bool, error) {
	schema, value := t.side.at(r)
	switch {
	case *schema == nil && value.IsNull():
		return true, nil
	case t.noField:
		return false, recordError(nullPointerException, "field is null")
	case *schema == nil && t.field == "":
		v, err := t.convertSchemaless(*value)
		*value = v
		return err == nil, err
	case *schema == nil:
		m, err := requireMap(*value, timestampPurpose)
		if err != nil {
			return false, err
		}
		v, _ := m.Get(t.field)
		if v, err = t.convertSchemaless(v); err != nil {
			return false, err
		}
		b := data.CopyMap(m, 1)
		b.PutString(t.field, v)
		*value = data.OfMap(b.Build())
		return true, nil
	case t.field == "":
		form, err := formOfSchema(*schema)
		if err != nil {
			return false, err
		}
		v, err := t.convert(*value, form)
		if err != nil {
			return false, err
		}
		*schema, *value = t.target.schema((*schema).Optional()), v
		return true, nil
	}
	return t.applyStruct(schema, value)
}

func (t *timestampConverter) applyStruct(schema **data.Schema, value *data.Value) (bool, error) {
	var st *data.StructValue
	if !value.IsNull() {
		var err error
		if st, err = requireStruct(*value, timestampPurpose); err != nil {
			return false, err
		}
	}
	plan, ok := t.cache.Get(*schema)
	if !ok {
		var err error
		if plan, err = t.plan(*schema); err != nil {
			return false, err
		}
		t.cache.Put(*schema, plan)
	}
	v, err := t.convertStruct(st, plan)
	if err != nil {
		return false, err
	}
	*schema, *value = plan.schema, v
	return true, nil
}

// convertStruct returns st with its field converted; null for nil.
func (t *timestampConverter) convertStruct(st *data.StructValue, plan *timestampPlan) (data.Value, error) {
	if st == nil {
		return data.Null, nil
	}
	fields := plan.schema.Fields()
	if len(st.Values()) != len(fields) {
		return data.Null, data.Errorf("Struct schemas do not match.")
	}
	out, vals := t.arena.New(plan.schema)
	for i := range fields {
		v := fieldValue(st, i, t.withDefault)
		if i == plan.slot {
			form, err := formOfSchema(st.Schema().Fields()[i].Schema)
			if err != nil {
				return data.Null, err
			}
			if v, err = t.convert(v, form); err != nil {
				return data.Null, err
			}
		}
		if err := checkNull(&fields[i], v); err != nil {
			return data.Null, err
		}
		vals[i] = v
	}
	return data.OfStruct(out), nil
}

func (t *timestampConverter) plan(s *data.Schema) (*timestampPlan, error) {
	fields, err := requireFields(s)
	if err != nil {
		return nil, err
	}
	p := &timestampPlan{slot: -1}
	b := data.NewStructSchema().CopyBasics(s).SetOptional(s.Optional())
	for i, f := range fields {
		if f.Name == t.field {
			p.slot = i
			b.Field(f.Name, t.target.schema(f.Schema.Optional()))
		} else {
			b.Field(f.Name, f.Schema)
		}
	}
	if p.schema, err = b.Build(); err != nil {
		return nil, err
	}
	if def := s.Default().Struct(); def != nil {
		v, err := t.convertStruct(def, p)
		if err != nil {
			return nil, err
		}
		p.schema = p.schema.With(p.schema.Optional(), v)
	}
	return p, nil
}

// formOfSchema finds the form by the schema's name and type.
func formOfSchema(s *data.Schema) (timeForm, error) {
	switch s.Logical() {
	case data.LogicalTimestamp:
		return asTimestamp, nil
	case data.LogicalDate:
		return asDate, nil
	case data.LogicalTime:
		return asTime, nil
	}
	switch s.Type() {
	case data.String:
		return asString, nil
	case data.Int64:
		return asUnix, nil
	}
	return 0, &connectors.Error{JavaClass: connectors.ConnectException, Class: connectors.Poison,
		Msg: "Schema " + s.String() + " does not correspond to a known timestamp type format"}
}

// convertSchemaless converts a value whose form its kind tells.
func (t *timestampConverter) convertSchemaless(v data.Value) (data.Value, error) {
	switch v.Kind() {
	case data.KindNull:
		return v, nil
	case data.KindDate:
		return t.convert(v, asTimestamp)
	case data.KindInt64:
		return t.convert(v, asUnix)
	case data.KindString:
		return t.convert(v, asString)
	}
	return v, data.Errorf("TimestampConverter does not support class %s objects as timestamps", className(v))
}

func (t *timestampConverter) convert(v data.Value, from timeForm) (data.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	if from == asString && t.target == asString && t.format != nil && v.Kind() == data.KindString {
		if text, ok := t.format.Reformat(v.Str()); ok {
			return data.OfString(text), nil
		}
	}
	ms, err := t.instant(v, from)
	if err != nil {
		return v, err
	}
	switch t.target {
	case asString:
		return data.OfString(t.format.Format(ms)), nil
	case asUnix:
		return data.OfInt64(toUnix(ms, t.precision)), nil
	case asDate:
		return data.OfDate(ms - floorMod(ms, msPerDay)), nil
	case asTime:
		return data.OfDate(floorMod(ms, msPerDay)), nil
	}
	return data.OfDate(ms), nil
}

func floorMod(a, b int64) int64 { return ((a % b) + b) % b }

// instant reads a value of the given form as milliseconds since the epoch.
func (t *timestampConverter) instant(v data.Value, from timeForm) (int64, error) {
	wrong := func(what, want string) error {
		return data.Errorf("Expected %s to be a %s, but found class %s", what, want, className(v))
	}
	switch from {
	case asString:
		if v.Kind() != data.KindString {
			return 0, wrong("string timestamp", "String")
		}
		if t.format == nil {
			return 0, recordError(nullPointerException, "a string timestamp needs the format option")
		}
		ms, ok := t.format.Parse(v.Str())
		if !ok {
			return 0, data.Errorf("Could not parse timestamp: value (%s) does not match pattern (%s)", v.Str(), t.format)
		}
		return ms, nil
	case asUnix:
		if v.Kind() != data.KindInt64 {
			return 0, wrong("Unix timestamp", "Long")
		}
		return fromUnix(v.Int(), t.precision), nil
	}
	if v.Kind() != data.KindDate {
		return 0, wrong(timeForms[from], "java.util.Date")
	}
	return v.Int(), nil
}

// fromUnix and toUnix convert between a precision and milliseconds as TimeUnit
// does: towards zero, and what is too large is the largest.
func fromUnix(n int64, precision string) int64 {
	switch precision {
	case "seconds":
		return saturate(n, 1000)
	case "microseconds":
		return n / 1000
	case "nanoseconds":
		return n / 1_000_000
	}
	return n
}

func toUnix(ms int64, precision string) int64 {
	switch precision {
	case "seconds":
		return ms / 1000
	case "microseconds":
		return saturate(ms, 1000)
	case "nanoseconds":
		return saturate(ms, 1_000_000)
	}
	return ms
}

func saturate(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}
