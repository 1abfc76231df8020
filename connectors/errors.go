package connectors

import (
	"errors"
	"fmt"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
)

// Class is the kind of a failure; it decides what the supervisor does.
type Class uint8

// The classes of failures, from design to supervisor.
const (
	// Crash is any unexpected error or panic: the task is restarted a few times.
	Crash Class = iota
	// Transient is an error of the world outside that goes away by itself: the
	// task is restarted until it does.
	Transient
	// Poison is a record that cannot be taken: a restart would meet it again.
	Poison
	// Configuration is an error that only somebody who changes a setting can mend.
	Configuration
)

// String returns the class as it stands in logs and metrics.
func (c Class) String() string {
	return [...]string{"crash", "transient", "poison", "configuration"}[c]
}

// Names of Kafka's exception classes that stand in traces, logs and dead letters.
const (
	ConnectException   = "org.apache.kafka.connect.errors.ConnectException"
	RetriableException = "org.apache.kafka.connect.errors.RetriableException"
	DataException      = "org.apache.kafka.connect.errors.DataException"
	ConfigException    = "org.apache.kafka.common.config.ConfigException"
)

// Error is an error with the name of the Java exception that Kafka Connect
// would show, and the class that says what a supervisor does about it.
type Error struct {
	JavaClass string
	Msg       string
	Class     Class
	Cause     error
}

// Error returns the message and, after a colon, the cause.
func (e *Error) Error() string {
	switch {
	case e.Cause == nil:
		return e.Msg
	case e.Msg == "":
		return e.Cause.Error()
	}
	return e.Msg + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Retriable says that the same call may succeed later: a poll or put is called
// again, a start is restarted.
func Retriable(err error) error {
	return &Error{JavaClass: RetriableException, Class: Transient, Cause: err}
}

// ConfigError says that the configuration is at fault.
func ConfigError(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{JavaClass: ConfigException, Msg: err.Error(), Class: Configuration, Cause: errors.Unwrap(err)}
}

// Errorf is a plain ConnectException: a crash unless an error that it wraps with
// %w says otherwise.
func Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	class := Crash
	if inner := errors.Unwrap(err); inner != nil {
		class = ClassOf(inner)
	}
	return &wrapped{err: err, class: class}
}

// wrapped keeps the whole text of fmt.Errorf, which already holds the cause's.
type wrapped struct {
	err   error
	class Class
}

func (w *wrapped) Error() string { return w.err.Error() }
func (w *wrapped) Unwrap() error { return errors.Unwrap(w.err) }

// IsRetriable reports whether err, or an error that it wraps, is retriable.
func IsRetriable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == Transient || IsOutage(err)
}

// IsOutage reports whether err says that what a converter has to ask, such as a
// schema registry, does not answer: no record is to blame.
func IsOutage(err error) bool {
	var e *codec.Error
	return errors.As(err, &e) && e.Fault == codec.OutageFault
}

// ClassOf returns the class of an error: that of the outermost [Error] in its
// chain, poison for a [data.Error] and what else a converter blames a record for,
// transient for an outage, else crash.
func ClassOf(err error) Class {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) { //nolint:errorlint // the chain is walked by hand: the outermost decides, whatever its type
		case *Error:
			return e.Class
		case *wrapped:
			return e.class
		case *data.Error, *data.SchemaError:
			return Poison
		case *codec.Error:
			switch e.Fault {
			case codec.RecordFault:
				return Poison
			case codec.OutageFault:
				return Transient
			}
		}
	}
	return Crash
}

// JavaClass returns the name of the exception class that Kafka Connect would
// show for err.
func JavaClass(err error) string {
	switch e := err.(type) { //nolint:errorlint // Java shows the exception itself, not its cause
	case *Error:
		if e.JavaClass != "" {
			return e.JavaClass
		}
	case *data.Error:
		return DataException
	case *data.SchemaError:
		return "org.apache.kafka.connect.errors.SchemaBuilderException"
	case interface{ JavaClass() string }:
		return e.JavaClass()
	}
	return ConnectException
}
