package configdef

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/javatext"
)

// Class is a value of type CLASS: the full name of a class.
type Class string

// String renders the class as Java does, "class java.lang.String".
func (c Class) String() string { return "class " + string(c) }

// Password is a value of type PASSWORD; every way of printing it gives "[hidden]".
type Password struct{ secret string }

// NewPassword wraps a secret.
func NewPassword(secret string) Password { return Password{secret} }

// Hidden is what is shown in place of a password.
const Hidden = "[hidden]"

// Reveal returns the secret.
func (p Password) Reveal() string { return p.secret }

// String returns "[hidden]".
func (p Password) String() string { return Hidden }

// GoString returns "[hidden]", so that %#v tells nothing either.
func (p Password) GoString() string { return Hidden }

// MarshalText writes "[hidden]", for JSON and slog.
func (p Password) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// Error is Kafka's ConfigException. Its message never contains a password.
type Error struct {
	Name    string // of the setting that is at fault, "" where it is not known
	Message string // whole
}

// Error returns the exception's message.
func (e *Error) Error() string { return e.Message }

// Errorf returns an Error with a formatted message.
func Errorf(format string, args ...any) error { return ErrorOn("", format, args...) }

// ErrorOn is Errorf about one setting, which the message has to name.
func ErrorOn(name, format string, args ...any) *Error {
	return &Error{Name: name, Message: fmt.Sprintf(format, args...)}
}

// Errors returns the Errors in what [errors.Join] made, in their order.
func Errors(err error) []*Error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*Error
		for _, one := range all.Unwrap() {
			out = append(out, Errors(one)...)
		}
		return out
	}
	var e *Error
	if errors.As(err, &e) {
		return []*Error{e}
	}
	return nil
}

// InvalidValue returns the error "Invalid value V for configuration NAME: REASON",
// with the value rendered as Java does.
func InvalidValue(name string, value any, reason string) *Error {
	message := "Invalid value " + javaText(value) + " for configuration " + name
	if reason != "" {
		message += ": " + reason
	}
	return &Error{name, message}
}

// missing is the error of a required key that is not there.
func missing(name string) error {
	return Errorf("Missing required configuration \"%s\" which has no default value.", name)
}

// javaText renders a value as Java's string concatenation does.
func javaText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case float64:
		return doubleText(v)
	}
	return fmt.Sprint(value)
}

// trim cuts off what Java's String.trim does: everything up to U+0020.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// javaSpace is what \s matches in a Java pattern.
func javaSpace(r rune) bool { return r == ' ' || (r >= '\t' && r <= '\r') }

// SplitList parses a value of type LIST: split at commas, blanks around them cut
// off; a blank text is the empty list.
func SplitList(text string) []string {
	text = trim(text)
	if text == "" {
		return []string{}
	}
	parts := strings.Split(text, ",")
	for i, p := range parts {
		if i > 0 {
			p = strings.TrimLeftFunc(p, javaSpace)
		}
		if i < len(parts)-1 {
			p = strings.TrimRightFunc(p, javaSpace)
		}
		parts[i] = p
	}
	return parts
}

// ParseType parses text as ConfigDef.parseType does. The result is bool, string,
// int64 (for INT, SHORT and LONG), float64, []string, Class or Password. Without
// classes any class name is taken.
func ParseType(name, text string, t Type, classes ClassResolver) (any, error) {
	trimmed := trim(text)
	switch t {
	case Boolean:
		switch strings.ToLower(trimmed) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, InvalidValue(name, text, "Expected value to be either true or false")
	case PasswordType:
		return NewPassword(trimmed), nil
	case String:
		return trimmed, nil
	case Int, Short, Long:
		bits := map[Type]int{Int: 32, Short: 16, Long: 64}[t]
		n, err := strconv.ParseInt(javatext.ASCIIDigits(trimmed), 10, bits)
		if err != nil {
			return nil, InvalidValue(name, text, "Not a number of type "+t.String())
		}
		return n, nil
	case Double:
		f, ok := parseDouble(trimmed)
		if !ok {
			return nil, InvalidValue(name, text, "Not a number of type DOUBLE")
		}
		return f, nil
	case List:
		return SplitList(text), nil
	case ClassType:
		if classes == nil {
			return Class(trimmed), nil
		}
		canonical, ok := classes.ResolveClass(trimmed)
		if !ok {
			return nil, InvalidValue(name, text, "Class "+text+" could not be found.")
		}
		return Class(canonical), nil
	}
	panic("configdef: unknown type")
}

// parseDouble reads what Double.parseDouble does.
func parseDouble(s string) (float64, bool) {
	body := s
	if n := len(s); n > 0 && strings.ContainsRune("dDfF", rune(s[n-1])) && !strings.ContainsAny(s, "xX") {
		body = s[:n-1]
	}
	unsigned := strings.TrimLeft(body, "+-")
	switch {
	case body == s && (unsigned == "NaN" || unsigned == "Infinity"):
	case strings.Contains(body, "_") || strings.ContainsAny(unsigned, "nNiI"):
		return 0, false // Go's spellings, not Java's
	}
	f, err := strconv.ParseFloat(body, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// doubleText writes a number as Double.toString does, for the magnitudes that
// settings have.
func doubleText(f float64) string {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0 || (abs >= 1e-3 && abs < 1e7):
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// normalizeDefault brings a default to the type that ParseType would give.
func normalizeDefault(name string, value any, t Type) (any, error) {
	bad := fmt.Errorf("the default of %s is a %T, which is no %s", name, value, t)
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return ParseType(name, v, t, nil)
	case bool:
		if t == Boolean {
			return v, nil
		}
	case int:
		if t == Double {
			return float64(v), nil
		}
		return normalizeDefault(name, int64(v), t)
	case int64:
		if t == Int || t == Short || t == Long {
			return v, nil
		}
	case float64:
		if t == Double {
			return v, nil
		}
	case []string:
		if t == List {
			return append([]string{}, v...), nil
		}
	case Class:
		if t == ClassType {
			return v, nil
		}
	case Password:
		if t == PasswordType {
			return v, nil
		}
	}
	return nil, bad
}

// ConvertToString renders a parsed value as ConfigDef.convertToString does: lists
// joined by commas, classes by name, passwords hidden. nil stays nil.
func ConvertToString(value any, t Type) *string {
	var s string
	switch v := value.(type) {
	case nil:
		return nil
	case []string:
		s = strings.Join(v, ",")
	case Class:
		s = string(v)
	default:
		s = javaText(v)
		if t == PasswordType {
			s = Hidden
		}
	}
	return &s
}
