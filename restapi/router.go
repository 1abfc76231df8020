// Package restapi is Kafka Connect's REST interface: HTTP in, messages out. It
// imports cluster's types and errors, connectors, configdef and net/http, and
// neither actors nor stores.
package restapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// request is a routed request: the values of the pattern's variables, decoded.
type request struct {
	*http.Request
	vars  map[string]string
	query url.Values

	read    bool // the body, into the next two
	body    []byte
	readErr error
}

// bytes returns the request's body as it came. It may be called again: a request is
// tried, and sent on, more than once.
func (r *request) bytes() ([]byte, error) {
	if !r.read {
		r.read = true
		r.body, r.readErr = readRaw(r.Body)
	}
	return r.body, r.readErr
}

type handler func(w http.ResponseWriter, r *request)

// route is one path of the interface with what its methods do.
type route struct {
	pattern string // segments; {x} is any segment, {x:int} a 32-bit integer
	methods map[string]handler
	// body names the methods that read the request's body.
	body []string
	// produces is the content type of the answers where it is not JSON; then
	// neither Accept nor Content-Type is looked at.
	produces string
}

// router matches the escaped path by segments, as Kafka Connect's server does and
// http.ServeMux does not: a trailing slash, "." as a name and ";x=y" are taken, "//"
// is refused.
type router struct{ routes []compiled }

type compiled struct {
	route
	segments []string
}

func newRouter(routes []route) *router {
	r := &router{}
	for _, rt := range routes {
		r.routes = append(r.routes, compiled{rt, split(rt.pattern)})
	}
	return r
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// match finds the route for an escaped path. bad is true for a path that no server
// of this interface takes; a segment that should be a number and is none leaves vars
// nil.
func (r *router) match(escaped string) (rt *compiled, vars map[string]string, bad bool) {
	escaped = strings.TrimPrefix(escaped, "/")
	escaped = strings.TrimSuffix(escaped, "/")
	var segs []string
	if escaped != "" {
		segs = strings.Split(escaped, "/")
	}
	for i, s := range segs {
		if s == "" {
			return nil, nil, true
		}
		if j := strings.IndexByte(s, ';'); j >= 0 {
			s = s[:j]
		}
		dec, err := url.PathUnescape(s)
		if err != nil || !utf8.ValidString(dec) || strings.IndexByte(dec, 0) >= 0 {
			return nil, nil, true
		}
		segs[i] = dec
	}
	for i := range r.routes {
		if vars, ok := matches(r.routes[i].segments, segs); ok {
			return &r.routes[i], vars, false
		}
	}
	return nil, nil, false
}

func matches(pattern, segs []string) (map[string]string, bool) {
	if len(pattern) != len(segs) {
		return nil, false
	}
	vars, numbers := make(map[string]string, 2), true
	for i, p := range pattern {
		if !strings.HasPrefix(p, "{") {
			if p != segs[i] {
				return nil, false
			}
			continue
		}
		name, isInt := strings.CutSuffix(strings.Trim(p, "{}"), ":int")
		if isInt {
			if _, err := strconv.ParseInt(segs[i], 10, 32); err != nil {
				numbers = false
			}
		}
		vars[name] = segs[i]
	}
	if !numbers {
		return nil, true
	}
	return vars, true
}

// allow lists the methods of a route as OPTIONS answers them.
func (c *compiled) allow() string {
	var out []string
	if _, ok := c.methods[http.MethodGet]; ok {
		out = append(out, http.MethodHead)
	}
	for _, m := range []string{http.MethodPost, http.MethodDelete, http.MethodGet} {
		if _, ok := c.methods[m]; ok {
			out = append(out, m)
		}
	}
	out = append(out, http.MethodOptions)
	for _, m := range []string{http.MethodPut, http.MethodPatch} {
		if _, ok := c.methods[m]; ok {
			out = append(out, m)
		}
	}
	return strings.Join(out, ", ")
}

// ServeHTTP implements [http.Handler]: 404, 405, 415 and 406, in this order, then
// the route's method.
func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rt, vars, bad := r.match(req.URL.EscapedPath())
	switch {
	case bad:
		writeError(w, http.StatusBadRequest, "Ambiguous or undecodable URI path")
		return
	case rt == nil:
		frameworkError(w, http.StatusNotFound)
		return
	}
	setRoute(req, rt.pattern)
	method := req.Method
	if method == http.MethodOptions {
		w.Header().Set("Allow", rt.allow())
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(rt.allow()))
		return
	}
	if method == http.MethodHead {
		method = http.MethodGet // net/http drops the body
	}
	h, ok := rt.methods[method]
	if !ok {
		frameworkError(w, http.StatusMethodNotAllowed)
		return
	}
	if rt.produces == "" {
		kind := req.Header.Get("Content-Type")
		if kind != "" && !isJSON(kind) {
			frameworkError(w, http.StatusUnsupportedMediaType)
			return
		}
		if !acceptsJSON(req.Header.Values("Accept")) {
			frameworkError(w, http.StatusNotAcceptable)
			return
		}
		// From here on a method has been chosen, and errors have a content type.
		if vars == nil {
			writeError(w, http.StatusNotFound, frameworkText(http.StatusNotFound))
			return
		}
		if kind == "" && req.ContentLength != 0 && slices.Contains(rt.body, method) {
			writeError(w, http.StatusUnsupportedMediaType, frameworkText(http.StatusUnsupportedMediaType))
			return
		}
	}
	h(w, &request{Request: req, vars: vars, query: req.URL.Query()})
}

func isJSON(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(t), "application/json")
}

func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			t, params, _ := strings.Cut(part, ";")
			t = strings.ToLower(strings.TrimSpace(t))
			if !slices.Contains([]string{"*/*", "application/*", "application/json"}, t) {
				continue
			}
			if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
				if f, err := strconv.ParseFloat(q, 64); err == nil && f == 0 {
					continue
				}
			}
			return true
		}
	}
	return false
}
