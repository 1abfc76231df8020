package kafkaclient

import (
	"math"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
)

// Type is a type of Kafka's ConfigDef, by its name there.
type Type string

// The types that client properties have.
const (
	Boolean  Type = "BOOLEAN"
	Int      Type = "INT"
	Short    Type = "SHORT"
	Long     Type = "LONG"
	Double   Type = "DOUBLE"
	String   Type = "STRING"
	List     Type = "LIST"
	Class    Type = "CLASS"
	Password Type = "PASSWORD"
)

// hidden stands for the value of a password, as Kafka prints it.
const hidden = "[hidden]"

// ConfigError is a bad value of one property.
type ConfigError = configdef.Error

// value is a property's text, read by its type.
type value struct {
	text string   // trimmed
	set  bool     // written by the user, not the default
	null bool     // neither written nor a default
	n    int64    // Int, Short, Long
	f    float64  // Double
	b    bool     // Boolean
	list []string // List
}

// shown is the value as a message may show it.
func (e *Entry) shown(text string) string {
	if e.Type == Password {
		return hidden
	}
	return text
}

// ParseType reads text as Kafka reads a value of the entry's type, and returns nil
// or the [*ConfigError] with Kafka's message. It doesn't look at the allowed values:
// Kafka Connect's validate endpoint doesn't either, for overrides.
func (e Entry) ParseType(text string) error {
	_, err := e.parse(text)
	if err != nil {
		return err
	}
	return nil
}

// Check reads text by the entry's type and applies Kafka's validator.
func (e Entry) Check(text string) error {
	v, err := e.parse(text)
	if err == nil && e.check != nil {
		err = e.check(&e, v)
	}
	if err != nil {
		return err
	}
	return nil
}

func (e *Entry) parse(text string) (value, *ConfigError) {
	v := value{text: strings.TrimSpace(text), set: true}
	var err error
	switch e.Type {
	case Boolean:
		switch strings.ToLower(v.text) {
		case "true":
			v.b = true
		case "false":
		default:
			return v, configdef.InvalidValue(e.Name, v.text, "Expected value to be either true or false")
		}
	case Short:
		v.n, err = strconv.ParseInt(v.text, 10, 16)
	case Int:
		v.n, err = strconv.ParseInt(v.text, 10, 32)
	case Long:
		v.n, err = strconv.ParseInt(v.text, 10, 64)
	case Double:
		v.f, err = strconv.ParseFloat(v.text, 64)
		if err != nil && math.IsInf(v.f, 0) {
			err = nil // Java reads what is too large as infinity
		}
	case List:
		v.list = splitList(v.text)
	}
	if err != nil {
		// Kafka shows numbers as they were written, with their blanks.
		return v, configdef.InvalidValue(e.Name, text, "Not a number of type "+string(e.Type))
	}
	return v, nil
}

// fallback is the value that holds when the user wrote none.
func (e *Entry) fallback() value {
	if e.Null || e.Required {
		return value{null: true}
	}
	v, err := e.parse(e.Default)
	if err != nil {
		panic(err) // the table is wrong; a test parses every default
	}
	v.set = false
	return v
}

// splitList splits at commas as Kafka does: blanks around them don't count, and an
// empty text is an empty list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// check is one of Kafka's validators.
type check func(*Entry, value) *ConfigError

func atLeast(low int64) check {
	return func(e *Entry, v value) *ConfigError {
		if v.n < low {
			return configdef.InvalidValue(e.Name, v.text, "Value must be at least "+strconv.FormatInt(low, 10))
		}
		return nil
	}
}

func between(low, high int64) check {
	return func(e *Entry, v value) *ConfigError {
		if err := atLeast(low)(e, v); err != nil {
			return err
		}
		if v.n > high {
			return configdef.InvalidValue(e.Name, v.text, "Value must be no more than "+strconv.FormatInt(high, 10))
		}
		return nil
	}
}

func betweenF(low, high float64, lowText, highText string) check {
	return func(e *Entry, v value) *ConfigError {
		if v.f < low {
			return configdef.InvalidValue(e.Name, v.text, "Value must be at least "+lowText)
		}
		if v.f > high {
			return configdef.InvalidValue(e.Name, v.text, "Value must be no more than "+highText)
		}
		return nil
	}
}

func oneOf(words ...string) check {
	return func(e *Entry, v value) *ConfigError {
		for _, w := range words {
			if v.text == w {
				return nil
			}
		}
		return configdef.InvalidValue(e.Name, v.text, "String must be one of: "+strings.Join(words, ", "))
	}
}

func oneOfAnyCase(words ...string) check {
	return func(e *Entry, v value) *ConfigError {
		for _, w := range words {
			if strings.EqualFold(v.text, w) {
				return nil
			}
		}
		return configdef.InvalidValue(e.Name, v.text, "String must be one of (case insensitive): "+strings.Join(words, ", "))
	}
}

func nonEmpty(e *Entry, v value) *ConfigError {
	if v.text == "" {
		return configdef.InvalidValue(e.Name, v.text, "String must be non-empty")
	}
	return nil
}

// onlyOf is for Refused properties: words are all that we can honour, compared
// without case; what is the note that tells the user why.
func onlyOf(why string, words ...string) check {
	return func(e *Entry, v value) *ConfigError {
		for _, w := range words {
			if strings.EqualFold(v.text, w) {
				return nil
			}
		}
		return configdef.InvalidValue(e.Name, e.shown(v.text), why)
	}
}

const noClasses = "this worker runs no Java classes; remove the setting"
