package devregistry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/troupeio/troupe/codec/registry"
)

const (
	contentType = "application/vnd.schemaregistry.v1+json"
	maxBody     = 16 << 20 // bytes of a request
)

// Handler is the registry's REST interface. It may be used by any number of
// goroutines.
type Handler struct {
	mux *http.ServeMux

	mu    sync.RWMutex
	state *state // changed by update alone
	file  file
}

// New returns the interface over a file, see [Options]; "" is none.
func New(path string) (*Handler, error) {
	h := &Handler{mux: http.NewServeMux()}
	h.file.path = path
	var err error
	if h.state, err = h.file.load(); err != nil {
		return nil, err
	}
	h.routes()
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The body is read here, where no lock is held: a client that sends slowly keeps
	// nobody waiting.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		respond(w, nil, refuse(http.StatusBadRequest, "Reading the request: %s", err))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mux.ServeHTTP(w, r)
}

// question is one request.
type question struct {
	r *http.Request
	s *state // to be read
}

func (q *question) subject() string { return q.r.PathValue("subject") }

// flag reports whether a parameter is true.
func (q *question) flag(name string) bool {
	return strings.EqualFold(q.r.URL.Query().Get(name), "true")
}

// body reads the request's JSON.
func (q *question) body(into any) error {
	if err := json.NewDecoder(q.r.Body).Decode(into); err != nil {
		return refuse(http.StatusUnprocessableEntity, "Unprocessable request: %s", err)
	}
	return nil
}

// raw is an answer that is text already.
type raw string

func (h *Handler) routes() {
	read := func(pattern string, f func(*question) (any, error)) {
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			h.mu.RLock()
			answer, err := f(&question{r, h.state})
			h.mu.RUnlock()
			respond(w, answer, err)
		})
	}
	write := func(pattern string, f func(*question) (any, *change, error)) {
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := h.update(r, f)
			respond(w, answer, err)
		})
	}
	read("GET /{$}", func(*question) (any, error) { return struct{}{}, nil })
	read("GET /contexts", func(*question) (any, error) { return []string{"."}, nil })
	read("GET /schemas/types", func(*question) (any, error) { return []string{"JSON", "PROTOBUF", "AVRO"}, nil })
	read("GET /schemas", listSchemas)
	read("GET /schemas/ids/{id}", schemaByID)
	read("GET /schemas/ids/{id}/schema", schemaText)
	read("GET /schemas/ids/{id}/subjects", subjectsOfID)
	read("GET /schemas/ids/{id}/versions", versionsOfID)
	read("GET /subjects", listSubjects)
	read("POST /subjects/{subject}", lookUp)
	write("DELETE /subjects/{subject}", deleteSubject)
	read("GET /subjects/{subject}/versions", listVersions)
	write("POST /subjects/{subject}/versions", register)
	read("GET /subjects/{subject}/versions/{version}", getVersion)
	write("DELETE /subjects/{subject}/versions/{version}", deleteVersion)
	read("GET /subjects/{subject}/versions/{version}/schema", versionSchema)
	read("GET /subjects/{subject}/versions/{version}/referencedby", referencedBy)
	read("POST /compatibility/subjects/{subject}/versions", checkAll)
	read("POST /compatibility/subjects/{subject}/versions/{version}", checkOne)
	read("GET /config", func(q *question) (any, error) { return levelAnswer{q.s.Level, q.s.Policy}, nil })
	write("PUT /config", setLevel)
	write("DELETE /config", resetLevel)
	read("GET /config/{subject}", getLevel)
	write("PUT /config/{subject}", setLevel)
	write("DELETE /config/{subject}", resetLevel)
	read("GET /mode", func(q *question) (any, error) { return modeText{q.s.Mode}, nil })
	write("PUT /mode", setMode)
	write("DELETE /mode", resetMode)
	read("GET /mode/{subject}", getMode)
	write("PUT /mode/{subject}", setMode)
	write("DELETE /mode/{subject}", resetMode)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, nil, refuse(http.StatusNotFound, "HTTP 404 Not Found"))
	})
}

// update makes the change that f asks for, once it is in the file; none if f has an
// answer without one.
func (h *Handler) update(r *http.Request, f func(*question) (any, *change, error)) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	answer, c, err := f(&question{r, h.state})
	if err != nil || c == nil {
		return answer, err
	}
	if err := h.file.save(h.state, c); err != nil {
		return nil, refuse(50001, "Error in the backend data store: %s", err)
	}
	return answer, h.state.apply(c)
}

func respond(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", contentType)
	if err != nil {
		var refused *apiError
		if !errors.As(err, &refused) {
			refused = &apiError{http.StatusInternalServerError, err.Error()}
		}
		w.WriteHeader(refused.status())
		answer = map[string]any{"error_code": refused.code, "message": refused.text}
	}
	if text, ok := answer.(raw); ok {
		_, _ = fmt.Fprint(w, text) // a client that has gone
		return
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer)
}

// schemaBody is a schema in requests and answers.
type schemaBody struct {
	Subject    string               `json:"subject,omitempty"`
	Version    int                  `json:"version,omitempty"`
	ID         int                  `json:"id,omitempty"`
	Type       registry.Type        `json:"schemaType,omitempty"` // none for Avro
	References []registry.Reference `json:"references,omitempty"`
	Text       string               `json:"schema"`
}

// schema reads the schema of a request, which has to be valid.
func (q *question) schema() (*schema, *schemaBody, error) {
	var b schemaBody
	if err := q.body(&b); err != nil {
		return nil, nil, err
	}
	if b.Text == "" {
		return nil, nil, refuse(42201, "Empty schema")
	}
	if b.Type == "" {
		b.Type = registry.Avro
	}
	if len(b.References) == 0 {
		b.References = nil // clients send an empty list for none
	}
	x := &schema{Type: b.Type, Text: b.Text, References: b.References}
	if err := q.s.parse(x); err != nil {
		return nil, nil, invalidSchema(err)
	}
	return x, &b, nil
}

func (x *schema) body() schemaBody {
	b := schemaBody{References: x.References, Text: x.Text}
	if x.Type != registry.Avro {
		b.Type = x.Type
	}
	return b
}

func (q *question) versionBody(v *version) schemaBody {
	b := q.s.Schemas[v.ID].body()
	b.Subject, b.Version, b.ID = q.subject(), v.Number, v.ID
	return b
}

// version returns the version that the path names, a number, "latest" or -1.
func (q *question) version(deleted bool) (*version, error) {
	text := q.r.PathValue("version")
	all := q.s.versions(q.subject(), deleted)
	n, err := strconv.Atoi(text)
	switch {
	case text == "latest" || n == -1:
		if len(all) == 0 {
			return nil, noSubject(q.subject())
		}
		return all[len(all)-1], nil
	case err != nil || n < 1 || n > 1<<31-1:
		return nil, invalidVersion(text)
	case len(all) == 0:
		return nil, noSubject(q.subject())
	}
	v := q.s.find(q.subject(), n, deleted)
	if v == nil {
		return nil, noVersion(text)
	}
	return v, nil
}
