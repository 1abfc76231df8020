package task

import (
	"errors"
	"strings"

	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/connectors"
)

// Trace is the text that a status shows for a failure: the first line as Kafka
// Connect's ("<exception class>: <message>"), then a line in plain words, then
// the causes down to the root, each "Caused by: <class>: <message>". A panic ends
// with its stack.
func Trace(err error, plain string) string {
	var b strings.Builder
	prefix := ""
	for e := err; e != nil; e = errors.Unwrap(e) {
		own := ownMessage(e)
		if own == "" && errors.Unwrap(e) != nil {
			continue // a wrapper that only names a class or nothing
		}
		b.WriteString(prefix)
		b.WriteString(connectors.JavaClass(e))
		if own != "" {
			b.WriteString(": " + own)
		}
		b.WriteByte('\n')
		if prefix == "" {
			var pe *pipeline.PoisonError
			if errors.As(err, &pe) {
				b.WriteString(pe.Explain() + "\n")
			} else if plain != "" {
				b.WriteString(plain + "\n")
			}
		}
		prefix = "Caused by: "
	}
	var pe *pipeline.PanicError
	if errors.As(err, &pe) {
		b.Write(pe.Stack)
	}
	return b.String()
}

// ownMessage is an error's text without its cause's, where they are glued by ": ".
func ownMessage(err error) string {
	switch e := err.(type) { //nolint:errorlint // this error's own text is wanted, not that of one behind it
	case *connectors.Error:
		return e.Msg
	case *codec.Error:
		return e.Msg // it may end in its cause's: Java's exception has it twice, too
	}
	msg := err.Error()
	if cause := errors.Unwrap(err); cause != nil {
		if rest, ok := strings.CutSuffix(msg, cause.Error()); ok {
			return strings.TrimSuffix(rest, ": ")
		}
	}
	return msg
}

// message is what Java's getMessage gives: an exception's own text, that of its
// cause when it was made of the cause alone, and nil when it has none.
func message(err error) []byte {
	if own := ownMessage(err); own != "" {
		return []byte(own)
	}
	if cause := errors.Unwrap(err); cause != nil {
		if m := message(cause); m != nil {
			return []byte(connectors.JavaClass(cause) + ": " + string(m))
		}
		return []byte(connectors.JavaClass(cause))
	}
	return nil
}
