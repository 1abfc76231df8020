package codec

// Names of the Java exception classes of converters' errors.
const (
	configException        = "org.apache.kafka.common.config.ConfigException"
	serializationException = "org.apache.kafka.common.errors.SerializationException"
)

// Error is an error that has a Java exception class of its own: a setting that
// a converter cannot take. Errors about a record are [data.Error] values.
type Error struct {
	Class string // the full name of the Java class
	Msg   string
	Cause error
}

// Error returns the message, as Kafka Connect words it.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// JavaClass returns the name of the exception class that Kafka Connect shows.
func (e *Error) JavaClass() string { return e.Class }

// ConfigError returns an [Error] about a setting.
func ConfigError(msg string) error { return &Error{Class: configException, Msg: msg} }
