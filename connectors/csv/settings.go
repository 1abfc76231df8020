package csv

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Names of the settings.
const (
	fileKey      = "file"
	dirKey       = "dir"
	patternKey   = "pattern"
	topicKey     = "topic"
	delimiterKey = "delimiter"
	quoteKey     = "quote"
	headerKey    = "header"
	columnsKey   = "columns"
	batchKey     = "batch.size"
	onErrorKey   = "on.error"
	maxRowKey    = "row.max.bytes"
	scanKey      = "scan.interval.ms"

	// filesKey is in task configurations only: the task's files as a JSON array.
	filesKey = "task.files"

	onErrorFail = "fail"
	onErrorSkip = "skip"
)

func sharedKeys() []configdef.Key {
	return []configdef.Key{
		{Name: delimiterKey, Type: configdef.String, Default: ",", Importance: configdef.Medium, Validator: character(false),
			Doc: `The character between fields: one ASCII character, or \t for a tab.`},
		{Name: quoteKey, Type: configdef.String, Default: `"`, Importance: configdef.Low, Validator: character(true),
			Doc: "The character around fields that contain a delimiter, a quote or a line end; inside such a field it is doubled. Empty: there are no quoted fields."},
		{Name: headerKey, Type: configdef.Boolean, Default: true, Importance: configdef.Medium,
			Doc: "Whether the first row of a file holds the names of its columns."},
		{Name: columnsKey, Type: configdef.String, Importance: configdef.Medium, Validator: configdef.NullOr(configdef.Lambda(
			func(name string, value any) error {
				s, _ := value.(string)
				if _, err := parseColumns(s); err != nil {
					return configdef.InvalidValue(name, value, err.Error())
				}
				return nil
			}, "name:type, ...")),
			Doc: "The columns as name:type, separated by commas. Types: string (also when none is given), int8, int16, int32, int64, float32, float64, " +
				"boolean, decimal(scale), decimal(precision,scale), date, time, timestamp."},
	}
}

// sourceDef declares the settings of the source.
func sourceDef() *configdef.Def {
	d := configdef.New(
		configdef.Key{Name: fileKey, Type: configdef.String, Importance: configdef.High,
			Doc: "The file to read. Either this or dir has to be given."},
		configdef.Key{Name: dirKey, Type: configdef.String, Importance: configdef.High,
			Doc: "The directory whose files to read, as far as they match the pattern. New files are found while the connector runs."},
		configdef.Key{Name: patternKey, Type: configdef.String, Default: "*.csv", Importance: configdef.Medium,
			Validator: configdef.Lambda(func(name string, value any) error {
				if s, ok := value.(string); !ok || s == "" {
					return configdef.InvalidValue(name, value, "String must be non-empty")
				} else if _, err := filepath.Match(s, ""); err != nil {
					return configdef.InvalidValue(name, value, "it is no file name pattern")
				}
				return nil
			}, "a file name pattern with *, ? and [...]"),
			Doc: "The names of the files in dir, with *, ? and [...]."},
		configdef.Key{Name: topicKey, Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
			Validator: configdef.NonEmpty(), Doc: "The topic to publish rows to."},
	)
	for _, k := range sharedKeys() {
		d.Define(k)
	}
	return d.Define(configdef.Key{Name: batchKey, Type: configdef.Int, Default: 2000, Importance: configdef.Low, Validator: configdef.AtLeast(1),
		Doc: "The largest number of rows that one poll returns."}).
		Define(configdef.Key{Name: onErrorKey, Type: configdef.String, Default: onErrorFail, Importance: configdef.Medium,
			Validator: configdef.OneOf(onErrorFail, onErrorSkip),
			Doc:       "What to do about a row that cannot be read: fail the task, or skip the row with a warning in the log."}).
		Define(configdef.Key{Name: maxRowKey, Type: configdef.Int, Default: 16 << 20, Importance: configdef.Low, Validator: configdef.AtLeast(1),
			Doc: "The size in bytes from which on a row that does not end counts as one that cannot be read, such as one with a quote that nothing closes."}).
		Define(configdef.Key{Name: scanKey, Type: configdef.Int, Default: 1000, Importance: configdef.Low, Validator: configdef.AtLeast(1),
			Doc: "How often to look for new files in dir, in milliseconds."})
}

// sinkDef declares the settings of the sink.
func sinkDef() *configdef.Def {
	d := configdef.New(configdef.Key{Name: fileKey, Type: configdef.String, Default: configdef.Required, Importance: configdef.High,
		Validator: configdef.NonEmpty(), Doc: "The file to append to. It is created if it is missing."})
	for _, k := range sharedKeys() {
		d.Define(k)
	}
	return d
}

// character accepts one ASCII character that can stand around or between fields.
func character(orNone bool) configdef.Validator {
	return configdef.Lambda(func(name string, value any) error {
		s, _ := value.(string)
		if s == "" && orNone {
			return nil
		}
		if _, ok := oneChar(s); !ok {
			return configdef.InvalidValue(name, value, "it must be one ASCII character, no letter, digit or line end")
		}
		return nil
	}, "one ASCII character")
}

func oneChar(s string) (byte, bool) {
	switch strings.ToLower(s) {
	case `\t`, "tab":
		return '\t', true
	}
	if len(s) != 1 {
		return 0, false
	}
	c := s[0]
	bad := c >= 0x80 || c == '\n' || c == '\r' || c == 0 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	return c, !bad
}

// settings are the parsed settings of either side.
type settings struct {
	v       *configdef.Values
	dialect dialect
	header  bool
	columns []column // nil when they are not given
}

// problems checks settings against each other, by key.
func problems(config map[string]string, source bool) map[string][]string {
	out := make(map[string][]string)
	if source {
		if (config[fileKey] == "") == (config[dirKey] == "") {
			out[fileKey] = append(out[fileKey], fmt.Sprintf("Exactly one of %q and %q has to be given.", fileKey, dirKey))
		}
		if strings.EqualFold(strings.TrimSpace(config[headerKey]), "false") && strings.TrimSpace(config[columnsKey]) == "" {
			out[columnsKey] = append(out[columnsKey], fmt.Sprintf("It has to be given when %q is false.", headerKey))
		}
	}
	d, okD := oneChar(strings.TrimSpace(config[delimiterKey]))
	q, okQ := oneChar(strings.TrimSpace(config[quoteKey]))
	if okD && okQ && d == q {
		out[quoteKey] = append(out[quoteKey], fmt.Sprintf("It must differ from %q.", delimiterKey))
	}
	return out
}

func parseSettings(def *configdef.Def, config map[string]string, source bool) (*settings, error) {
	v, err := def.Parse(config)
	if err != nil {
		return nil, connectors.ConfigError("%s", err)
	}
	for _, key := range []string{fileKey, columnsKey, quoteKey} {
		if p := problems(config, source)[key]; len(p) > 0 {
			return nil, connectors.ConfigError("Invalid configuration %s: %s", key, p[0])
		}
	}
	s := &settings{v: v, header: v.Bool(headerKey)}
	s.dialect.delim, _ = oneChar(v.String(delimiterKey))
	s.dialect.quote, _ = oneChar(v.String(quoteKey))
	if s.columns, err = parseColumns(v.String(columnsKey)); err != nil {
		return nil, connectors.ConfigError("Invalid configuration %s: %s", columnsKey, err)
	}
	return s, nil
}
