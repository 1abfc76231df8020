package codec

// Names of the Java exception classes of converters' errors.
const (
	ConfigException        = "org.apache.kafka.common.config.ConfigException"
	SerializationException = "org.apache.kafka.common.errors.SerializationException"
	RetriableException     = "org.apache.kafka.connect.errors.RetriableException"
	DataException          = "org.apache.kafka.connect.errors.DataException"
)

// Fault says what is to blame for an [Error], which decides what a task does
// about it.
type Fault uint8

// What can be to blame.
const (
	NoFault     Fault = iota // the error says nothing; its cause may
	RecordFault              // the record, or its schema: the next try would meet the same
	OutageFault              // the world outside, such as a schema registry that does not answer: a later try may succeed
)

// Error is an error that has a Java exception class of its own: a setting that
// a converter cannot take, or what came of asking somebody about a record. Other
// errors about a record are [data.Error] values.
type Error struct {
	Class string // the full name of the Java class
	Msg   string // without the cause's
	Cause error
	Fault Fault
}

// Error returns the message, as Kafka Connect words it.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// JavaClass returns the name of the exception class that Kafka Connect shows.
func (e *Error) JavaClass() string { return e.Class }

// ConfigError returns an [Error] about a setting.
func ConfigError(msg string) error { return &Error{Class: ConfigException, Msg: msg} }
