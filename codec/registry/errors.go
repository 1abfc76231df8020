package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/troupeio/troupe/codec"
)

// Codes of the registry's errors that callers act on.
const (
	CodeSubjectNotFound = 40401
	CodeVersionNotFound = 40402
	CodeSchemaNotFound  = 40403
	CodeIncompatible    = 409
	CodeInvalidSchema   = 42201
)

// Java classes of what a registry's answer becomes in Confluent's serializers.
const (
	restClientException  = "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException"
	invalidConfiguration = "org.apache.kafka.common.errors.InvalidConfigurationException"
	timeoutException     = "org.apache.kafka.common.errors.TimeoutException"
	ioException          = "java.io.IOException"
)

// Error is a refusal: what the registry answered instead of what it was asked for.
type Error struct {
	Status  int    // of HTTP
	Code    int    // the registry's, such as 40403; the status where it gave none
	Message string // the registry's
}

// Error returns the registry's message and code, as Confluent's client words it.
func (e *Error) Error() string { return e.Message + "; error code: " + strconv.Itoa(e.Code) }

// JavaClass names the exception of Confluent's client.
func (e *Error) JavaClass() string { return restClientException }

// IsNotFound reports whether err is the registry's answer that it has no such
// subject, version or schema. A 404 without a code of the registry's is somebody else's.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code != http.StatusNotFound
}

// IsOutage reports whether err says that the registry could not be asked: it did
// not answer, not in time, that it cannot at present (408, 429, 5xx), or that it doesn't
// take this client's word or isn't there at all (401, 403, 404 without a code of its own).
func IsOutage(err error) bool {
	var e *codec.Error
	return errors.As(err, &e) && e.Fault == codec.OutageFault
}

// busy reports whether a status says that the same request may succeed later.
func busy(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}

// fault says who is to blame for a refusal with a code of three digits. A password that
// is refused, and an address behind which there is no registry, say nothing of a record:
// it must not be skipped for them.
func (e *Error) fault() codec.Fault {
	switch e.Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired:
		return codec.OutageFault
	}
	return codec.RecordFault
}

// refusal turns what pkg/sr makes of an answer into ours.
func refusal(e *sr.ResponseError) *Error {
	out := &Error{Status: e.StatusCode, Code: e.ErrorCode, Message: e.Message}
	if out.Code == 0 {
		out.Code = e.StatusCode
	}
	if out.Message == "" {
		// Not the registry, but a proxy before it. Its page is cut to what fits
		// a line.
		text := e.Raw
		if len(text) > 200 || !json.Valid(text) {
			text = nil
		}
		out.Message = fmt.Sprintf("HTTP status %d %s", e.StatusCode, http.StatusText(e.StatusCode))
		if len(text) > 0 {
			out.Message += ": " + string(text)
		}
	}
	return out
}

// outage is the error of a request that no registry could answer.
func outage(err error) error {
	class := ioException
	if errors.Is(err, context.DeadlineExceeded) || timedOut(err) {
		class = timeoutException
	}
	return &codec.Error{Class: class, Msg: err.Error(), Fault: codec.OutageFault, Cause: errors.Unwrap(err)}
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// serializing words an error of the registry as Confluent's serializers do: a
// refusal with a code of three digits that begins with 4 says that the
// configuration is at fault, any other stands behind doing.
func serializing(err error, doing string) error {
	var refused *Error
	switch {
	case err == nil:
		return nil
	case IsOutage(err):
		return Serialization(doing, err)
	case errors.As(err, &refused) && refused.Code/100 == 4:
		return &codec.Error{Class: invalidConfiguration, Msg: refused.Error(), Cause: refused, Fault: refused.fault()}
	case errors.As(err, &refused):
		return Serialization(doing, err)
	}
	return err
}

// Serialization is the error of Confluent's serializers about a record's bytes or
// schema; [Resolver.Failure] makes a converter's of it. It keeps the blame of an
// outage, and blames the record for the rest.
func Serialization(msg string, cause error) error {
	e := &codec.Error{Class: codec.SerializationException, Msg: msg, Cause: cause, Fault: codec.RecordFault}
	if IsOutage(cause) {
		e.Fault = codec.OutageFault
	}
	return e
}

// words are the texts of one converter.
type words struct {
	name            string // of the format, in its settings' and registry's errors
	serialize, read string // with the topic
	access          string // with the topic and the refusal
}

var wording = map[Type]words{
	Avro: {"Avro", "Failed to serialize Avro data from topic %s :", "Failed to deserialize data for topic %s to Avro: ",
		"Failed to access Avro data from topic %s : %s"},
	Protobuf: {"Protobuf", "Failed to serialize Protobuf data from topic %s :", "Failed to deserialize data for topic %s to Protobuf: ",
		"Failed to access Protobuf data from topic %s : %s"},
	JSON: {"JSON", "Converting Kafka Connect data to byte[] failed due to serialization error of topic %s: ",
		"Converting byte[] to Kafka Connect data failed due to serialization error of topic %s: ",
		"Failed to access JSON Schema data from topic %s : %s"},
}

// Failure is the error with which the converter fails: err, which came
// out of this package or of the serialization of one record, with the text that
// Confluent's converter puts before it. write says in which direction.
//
// An outage becomes a RetriableException, on which the task tries again as
// errors.retry.* say; a refusal of a record a ConfigException with the registry's text; the
// rest a DataException. That the task stops meanwhile remains what it is.
func (r *Resolver) Failure(topic string, write bool, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	w := wording[r.typ]
	text := w.read
	if write {
		text = w.serialize
	}
	out := &codec.Error{Class: codec.DataException, Msg: fmt.Sprintf(text, topic), Cause: err, Fault: codec.RecordFault}
	var e *codec.Error
	if !errors.As(err, &e) {
		return out
	}
	if e.Class == invalidConfiguration {
		out.Class, out.Msg = codec.ConfigException, fmt.Sprintf(w.access, topic, e.Msg)
	}
	if e.Fault == codec.OutageFault {
		out.Class, out.Fault = codec.RetriableException, codec.OutageFault
	}
	return out
}
