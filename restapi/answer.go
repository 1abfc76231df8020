package restapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/connectors"
)

// errorBody is Kafka Connect's error answer.
type errorBody struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// encode writes JSON as Kafka Connect's answers have it: no HTML escapes, no
// newline at the end.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("restapi: encoding an answer: %v", err)) // only our own types come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(v))
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, errorBody{status, message})
}

// frameworkError is an error of the HTTP layer itself: JSON, but without a content
// type, as Kafka Connect answers it.
func frameworkError(w http.ResponseWriter, status int) {
	w.Header()["Content-Type"] = nil // keeps net/http from guessing one
	w.WriteHeader(status)
	_, _ = w.Write(encode(errorBody{status, frameworkText(status)}))
}

func frameworkText(status int) string {
	return fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
}

// fail answers with an error's own status and message. It is the one place where
// errors become status codes.
func fail(w http.ResponseWriter, err error) {
	var e *cluster.Error
	if errors.As(err, &e) {
		writeError(w, e.Status, e.Message)
		return
	}
	var notHere *cluster.NotHere
	if errors.As(err, &notHere) {
		w.Header().Set(headerNotHere, notHereRole)
		writeError(w, http.StatusConflict, notHere.Why)
		return
	}
	writeError(w, http.StatusInternalServerError, err.Error())
}

// maxBody bounds a request's body: the largest configurations are some hundred
// kilobytes.
const maxBody = 16 << 20

// readBody returns the body without a byte order mark; nil when there is none.
func readBody(r *request) ([]byte, error) {
	b, err := r.bytes()
	if err != nil {
		return nil, err
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	return b, nil
}

// missing and unreadable bodies are answered 400 here and 500 by Kafka Connect,
// which is one of the differences that were agreed.
func unreadable(err error) error {
	return cluster.Errorf(http.StatusBadRequest, "The request's body is not what this path takes: %v", err)
}

// text is a JSON scalar as its source text; objects and arrays are refused. null is
// kept apart by the pointer that holds it.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	case '{':
		return errors.New("Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)")
	case '[':
		return errors.New("Cannot deserialize value of type `java.lang.String` from Array value (token `JsonToken.START_ARRAY`)")
	default:
		*t = text(b)
	}
	return nil
}

// decode reads exactly one JSON value into v.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(v); err != nil {
		return unreadable(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return unreadable(errors.New("something follows the JSON value"))
	}
	return nil
}

// decodeObject reads an object with the given members alone; their names are exact,
// which encoding/json's are not. It is false for null.
func decodeObject(b []byte, members map[string]any) (bool, error) {
	var m map[string]json.RawMessage
	if err := decode(b, &m); err != nil {
		return false, err
	}
	for k, raw := range m {
		to, ok := members[k]
		if !ok {
			return false, unreadable(fmt.Errorf("it has an unknown member %q", k))
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return false, unreadable(fmt.Errorf("its member %q: %w", k, err))
		}
	}
	return m != nil, nil
}

// configBody reads a flat map of settings. A missing or null body is an error.
func configBody(r *request) (map[string]*string, error) {
	config, _, err := orderedConfigBody(r)
	return config, err
}

// orderedConfigBody is configBody, with the names in the order in which they stand.
func orderedConfigBody(r *request) (config map[string]*string, order []string, err error) {
	b, err := readBody(r)
	if err != nil {
		return nil, nil, err
	}
	if b == nil {
		return nil, nil, unreadable(errors.New("it is empty; a JSON object of settings is expected"))
	}
	var m map[string]*text
	if err := decode(b, &m); err != nil {
		return nil, nil, err
	}
	if m == nil {
		return nil, nil, unreadable(errors.New("it is null; a JSON object of settings is expected"))
	}
	return plain(m), memberOrder(b), nil
}

// memberOrder returns the names of a flat object's members, each where it stands first.
func memberOrder(object []byte) (names []string) {
	d := json.NewDecoder(bytes.NewReader(object))
	seen := make(map[string]bool)
	for i := 0; ; i++ {
		token, err := d.Token()
		if err != nil {
			return names
		}
		// The brace is the first token; then names and values take turns.
		if name, ok := token.(string); ok && i%2 == 1 && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
}

func plain(m map[string]*text) map[string]*string {
	out := make(map[string]*string, len(m))
	for k, v := range m {
		out[k] = (*string)(v)
	}
	return out
}

// FlatConfig reads settings given as JSON scalars, as REST does; a null value is left
// out.
func FlatConfig(m map[string]json.RawMessage) (map[string]string, error) {
	out := make(map[string]string, len(m))
	for k, raw := range m {
		var t *text
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, fmt.Errorf("the value of %s: %w", k, err)
		}
		if t != nil {
			out[k] = string(*t)
		}
	}
	return out, nil
}

// InitialState reads the initial_state of a create request; nil stays nil.
func InitialState(s *string) (*connectors.TargetState, error) { return initialState((*text)(s)) }
