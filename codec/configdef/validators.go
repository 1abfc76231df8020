package configdef

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/javaregex"
)

// Validator checks a parsed value (see ParseType for its types; nil is null). Its
// String is the "valid values" text of the documentation.
type Validator interface {
	Validate(name string, value any) error
	String() string
}

type lambda struct {
	check func(name string, value any) error
	text  string
}

func (l lambda) Validate(name string, value any) error { return l.check(name, value) }
func (l lambda) String() string                        { return l.text }

// Lambda returns a validator from a function and its documentation.
func Lambda(check func(name string, value any) error, text string) Validator {
	return lambda{check, text}
}

// number returns the value as a float, which is exact for the bounds that settings
// have.
func number(value any) float64 {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

// bound renders a bound as Java does: of an integer without a fraction.
func bound(b float64, value any) string {
	if _, isDouble := value.(float64); isDouble {
		return doubleText(b)
	}
	return strconv.FormatInt(int64(b), 10)
}

// AtLeast accepts numbers from lo on (Range.atLeast).
func AtLeast(lo float64) Validator {
	return lambda{func(name string, value any) error {
		switch {
		case value == nil:
			return InvalidValue(name, nil, "Value must be non-null")
		case number(value) < lo:
			return InvalidValue(name, value, "Value must be at least "+bound(lo, value))
		}
		return nil
	}, "[" + strings.TrimSuffix(doubleText(lo), ".0") + ",...]"}
}

// Between accepts numbers from lo to hi (Range.between).
func Between(lo, hi float64) Validator {
	atLeast := AtLeast(lo)
	text := func(f float64) string { return strings.TrimSuffix(doubleText(f), ".0") }
	return lambda{func(name string, value any) error {
		if err := atLeast.Validate(name, value); err != nil {
			return err
		}
		if number(value) > hi {
			return InvalidValue(name, value, "Value must be no more than "+bound(hi, value))
		}
		return nil
	}, "[" + text(lo) + ",...," + text(hi) + "]"}
}

// OneOf accepts the given strings only (ValidString.in).
func OneOf(values ...string) Validator {
	list := strings.Join(values, ", ")
	return lambda{func(name string, value any) error {
		if s, ok := value.(string); !ok || !slices.Contains(values, s) {
			return InvalidValue(name, value, "String must be one of: "+list)
		}
		return nil
	}, "[" + list + "]"}
}

// OneOfAnyCase accepts the given strings in any case (CaseInsensitiveValidString).
// The message lists them in upper case, in the order given.
func OneOfAnyCase(values ...string) Validator {
	upper := make([]string, len(values))
	for i, v := range values {
		upper[i] = strings.ToUpper(v)
	}
	list := strings.Join(upper, ", ")
	return lambda{func(name string, value any) error {
		if s, ok := value.(string); !ok || !slices.Contains(upper, strings.ToUpper(s)) {
			return InvalidValue(name, value, "String must be one of (case insensitive): "+list)
		}
		return nil
	}, "(case insensitive) [" + list + "]"}
}

// NonEmpty refuses the empty string; null passes (NonEmptyString).
func NonEmpty() Validator {
	return lambda{func(name string, value any) error {
		if s, ok := value.(string); ok && s == "" {
			return InvalidValue(name, value, "String must be non-empty")
		}
		return nil
	}, "non-empty string"}
}

// NonEmptyWithoutControlChars refuses the empty string and ISO control characters;
// null passes (NonEmptyStringWithoutControlChars).
func NonEmptyWithoutControlChars() Validator {
	return lambda{func(name string, value any) error {
		s, ok := value.(string)
		if !ok {
			return nil
		}
		if s == "" {
			return InvalidValue(name, value, "String may not be empty")
		}
		var found []string
		for _, r := range s {
			if r <= 0x1F || (r >= 0x7F && r <= 0x9F) {
				found = append(found, strconv.Itoa(int(r)))
			}
		}
		if len(found) > 0 {
			return InvalidValue(name, value, "String may not contain control sequences but had the following ASCII chars: "+strings.Join(found, ", "))
		}
		return nil
	}, "non-empty string without ISO control characters"}
}

// NonNull refuses null (NonNullValidator).
func NonNull() Validator {
	return lambda{func(name string, value any) error {
		if value == nil {
			return InvalidValue(name, nil, "entry must be non null")
		}
		return nil
	}, "non-null string"}
}

// NonEmptyList refuses null and the empty list.
func NonEmptyList() Validator {
	return lambda{func(name string, value any) error {
		if l, ok := value.([]string); !ok || len(l) == 0 {
			return InvalidValue(name, value, "Empty list")
		}
		return nil
	}, "non-empty list"}
}

// UniqueAliases refuses a list in which an alias is there twice.
func UniqueAliases() Validator {
	return lambda{func(name string, value any) error {
		l, _ := value.([]string)
		for i, alias := range l {
			if slices.Contains(l[:i], alias) {
				return InvalidValue(name, value, "Duplicate alias provided.")
			}
		}
		return nil
	}, "unique aliases"}
}

// nullRegex is the Java runtime's text for a null pattern, as it was recorded.
const nullRegex = `Cannot invoke "String.isEmpty()" because "this.pattern" is null`

// Regex accepts what java.util.regex can compile.
func Regex() Validator {
	return lambda{func(name string, value any) error {
		s, ok := value.(string)
		if !ok {
			return InvalidValue(name, value, "Invalid regex: "+nullRegex)
		}
		if _, err := javaregex.Compile(s); err != nil {
			return InvalidValue(name, value, "Invalid regex: "+err.Error())
		}
		return nil
	}, "valid regex"}
}

// NullOr lets null pass and asks v about everything else.
func NullOr(v Validator) Validator {
	return lambda{func(name string, value any) error {
		if value == nil {
			return nil
		}
		return v.Validate(name, value)
	}, v.String()}
}

// Composite asks each validator in turn; the first error counts
// (CompositeValidator).
func Composite(validators ...Validator) Validator {
	var text []string
	for _, v := range validators {
		if v.String() != "" {
			text = append(text, v.String())
		}
	}
	return lambda{func(name string, value any) error {
		for _, v := range validators {
			if err := v.Validate(name, value); err != nil {
				return err
			}
		}
		return nil
	}, strings.Join(text, ",")}
}

// IsError reports whether err is, or wraps, a ConfigException.
func IsError(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
