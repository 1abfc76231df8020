package codec

import (
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/javatext"
)

// Settings is the configuration of a converter, with the readings and the
// messages of Kafka's ConfigDef for the few types that converters need.
type Settings map[string]string

// TypeSetting is the setting in which the worker says what a converter is for.
const TypeSetting = "converter.type"

func invalid(name, value, why string) error {
	return ConfigError("Invalid value " + value + " for configuration " + name + ": " + why)
}

// Bool returns a boolean setting, or def when it is not there.
func (s Settings) Bool(name string, def bool) (bool, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	switch t := strings.TrimSpace(v); {
	case strings.EqualFold(t, "true"):
		return true, nil
	case strings.EqualFold(t, "false"):
		return false, nil
	}
	return false, invalid(name, v, "Expected value to be either true or false")
}

// Int returns a setting of type INT, or def when it is not there.
func (s Settings) Int(name string, def int) (int, error) {
	v, ok := s[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(javatext.ASCIIDigits(strings.TrimSpace(v)), 10, 32)
	if err != nil {
		return 0, invalid(name, v, "Not a number of type INT")
	}
	return int(n), nil
}

// OneOfFold returns a setting that has to be one of the choices in any case of
// letters, as it stands among the choices; the first of them is the default.
func (s Settings) OneOfFold(name string, choices ...string) (string, error) {
	v, ok := s[name]
	if !ok {
		return choices[0], nil
	}
	t := strings.TrimSpace(v)
	for _, c := range choices {
		if strings.EqualFold(c, t) {
			return c, nil
		}
	}
	// The order of the names in the message is that of a set in Java, here the
	// reverse of ours.
	rev := make([]string, 0, len(choices))
	for i := len(choices) - 1; i >= 0; i-- {
		rev = append(rev, choices[i])
	}
	return "", invalid(name, t, "String must be one of (case insensitive): "+strings.Join(rev, ", "))
}

// CheckType checks converter.type, which a converter of headers needs and the
// worker sets.
func (s Settings) CheckType() error {
	v, ok := s[TypeSetting]
	if !ok {
		return ConfigError(`Missing required configuration "` + TypeSetting + `" which has no default value.`)
	}
	switch strings.TrimSpace(v) {
	case "key", "value", "header":
		return nil
	}
	return invalid(TypeSetting, strings.TrimSpace(v), "String must be one of: key, value, header")
}
