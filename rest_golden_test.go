package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster/devbroker"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/internal/golden"
)

// restRow is one line of rest.jsonl.
type restRow struct {
	ID              string
	Method          string
	Path            string
	Headers         map[string]string
	Body            *string
	SetupNote       string            `json:"setup_note"`
	WaitBefore      []restWait        `json:"wait_before"`
	Status          int               `json:"status"`
	ResponseHeaders map[string]string `json:"response_headers"`
	ResponseBody    string            `json:"response_body"`
}

type restWait struct {
	Path        string
	UntilStatus int            `json:"until_status"`
	UntilJSON   map[string]any `json:"until_json"`
	UntilLen    map[string]int `json:"until_len"`
	SleepMS     int            `json:"sleep_ms"`
}

// restDifference is one rule of testdata/rest_differences.yaml.
type restDifference struct {
	Name     string
	Title    string
	Reason   string
	Methods  []string
	Path     string
	Recorded struct {
		Status      int
		ContentType string `yaml:"content_type"`
		Message     string
	}
	Ours map[string]string

	path, contentType, message *regexp.Regexp
}

func restDifferences(t *testing.T) []restDifference {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "rest_differences.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules []restDifference
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for i := range rules {
		r := &rules[i]
		r.path, r.contentType, r.message = whole(r.Path), whole(r.Recorded.ContentType), whole(r.Recorded.Message)
	}
	return rules
}

func whole(expr string) *regexp.Regexp {
	if expr == "" {
		return nil
	}
	return regexp.MustCompile(`(?s)^(?:` + expr + `)$`)
}

// covers reports whether the rule names a recorded row.
func (d *restDifference) covers(r *restRow) bool {
	if len(d.Methods) > 0 && !slices.Contains(d.Methods, r.Method) {
		return false
	}
	if d.Recorded.Status != 0 && d.Recorded.Status != r.Status {
		return false
	}
	if d.path != nil && !d.path.MatchString(r.Path) {
		return false
	}
	if d.contentType != nil && !(r.ResponseHeaders["Content-Type"] == "" && r.ResponseBody == "" || d.contentType.MatchString(r.ResponseHeaders["Content-Type"])) {
		return false
	}
	if d.message != nil {
		var e struct{ Message string }
		if json.Unmarshal([]byte(r.ResponseBody), &e) != nil || !d.message.MatchString(e.Message) {
			return false
		}
	}
	return true
}

// want is the status that the rule promises; same means that the whole answer is
// compared but for what the rule is about.
func (d *restDifference) want(method string) string {
	if w, ok := d.Ours[method]; ok {
		return w
	}
	return d.Ours["any"]
}

// goldenNode is a worker on an empty cluster, both in this process.
type goldenNode struct {
	*node
	t      testing.TB
	addr   string
	broker *devbroker.Broker
	files  string            // the folder that takes the place of /tmp/golden/files
	alike  *strings.Replacer // gives all nodes of a cluster one name in answers; nil for a node that is alone
}

// settleTime bounds the waits of the transcripts, which allow 60 s.
const settleTime = 20 * time.Second

const recordedFiles = "/tmp/golden/files"

func newGoldenNode(t testing.TB, mode workerconfig.Mode, extra map[string]string) *goldenNode {
	t.Helper()
	return startGoldenNode(t, goldenBroker(t), mode, false, extra)
}

func goldenBroker(t testing.TB) *devbroker.Broker {
	t.Helper()
	broker, err := devbroker.Start(context.Background(), devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close(context.Background()) })
	return broker
}

func startGoldenNode(t testing.TB, broker *devbroker.Broker, mode workerconfig.Mode, exclusive bool, extra map[string]string) *goldenNode {
	t.Helper()
	props := devProperties(broker.Addr(), "127.0.0.1:0")
	props["group.id"] = "golden"
	props["offset.flush.interval.ms"] = "1000"
	if mode == workerconfig.Standalone {
		for k := range props {
			if strings.Contains(k, ".storage.") || k == "group.id" {
				delete(props, k)
			}
		}
		props["offset.storage.file.filename"] = filepath.Join(t.TempDir(), "offsets")
	}
	for k, v := range extra {
		props[k] = v
	}
	var out io.Writer = io.Discard
	if os.Getenv("TROUPE_TEST_LOG") != "" {
		out = os.Stderr
	}
	logs := telemetry.NewLogs(out, false, slog.LevelInfo)
	n, err := startNode(context.Background(), mode, props, exclusive, logs)
	if err != nil {
		t.Fatal(err)
	}
	g := &goldenNode{node: n, t: t, addr: n.rest.Addrs[0].String(), broker: broker, files: t.TempDir()}
	t.Cleanup(func() {
		if g.node != nil {
			_ = g.node.stop()
		}
	})
	return g
}

// local replaces what the recording's machine is called.
func (g *goldenNode) local(s string) string {
	s = g.named(strings.ReplaceAll(s, "127.0.0.1:28083", g.addr))
	return strings.ReplaceAll(s, recordedFiles, g.files)
}

// named gives all nodes of a cluster one name.
func (g *goldenNode) named(s string) string {
	if g.alike == nil {
		return s
	}
	return g.alike.Replace(s)
}

type restAnswer struct {
	status int
	header http.Header
	body   string
}

// send writes a request as it stands: no header but what is given, the path as it is.
func (g *goldenNode) send(method, path string, headers map[string]string, body *string) restAnswer {
	g.t.Helper()
	conn, err := net.DialTimeout("tcp", g.addr, 5*time.Second)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(100 * time.Second))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, g.addr)
	for _, k := range sortedKeys(headers) {
		fmt.Fprintf(&b, "%s: %s\r\n", k, headers[k])
	}
	text := ""
	if body != nil {
		text = *body
	}
	if body != nil || method == "POST" || method == "PUT" || method == "PATCH" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(text))
	}
	b.WriteString("\r\n" + text)
	if _, err := conn.Write(b.Bytes()); err != nil {
		g.t.Fatal(err)
	}
	req, _ := http.NewRequest(method, "http://"+g.addr, nil)
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	return restAnswer{resp.StatusCode, resp.Header, g.named(string(got))}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// waitREST waits until what the transcript waited for is to be seen at each node.
func waitREST(nodes []*goldenNode, waits []restWait) error {
	for _, w := range waits {
		if w.SleepMS > 0 {
			time.Sleep(time.Duration(w.SleepMS) * time.Millisecond) // the transcript says so
			continue
		}
		until := time.Now().Add(settleTime)
		for _, n := range nodes {
			for {
				why := n.settled(w)
				if why == "" {
					break
				}
				if time.Now().After(until) {
					return fmt.Errorf("waiting for GET %s at %s: %s", w.Path, n.addr, why)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	return nil
}

func (g *goldenNode) settled(w restWait) string {
	a := g.send("GET", g.local(w.Path), nil, nil)
	want := w.UntilStatus
	if want == 0 {
		want = 200
	}
	if a.status != want {
		return fmt.Sprintf("status %d, want %d", a.status, want)
	}
	if len(w.UntilJSON)+len(w.UntilLen) == 0 {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return err.Error()
	}
	for p, want := range w.UntilJSON {
		if s, ok := want.(string); ok {
			want = g.local(s)
		}
		if got, ok := pointer(v, p); !ok || !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("%s is %v, want %v in %s", p, got, want, a.body)
		}
	}
	for p, want := range w.UntilLen {
		got, _ := pointer(v, p)
		n := -1
		switch got := got.(type) {
		case []any:
			n = len(got)
		case map[string]any:
			n = len(got)
		}
		if n != want {
			return fmt.Sprintf("%s has %d elements, want %d in %s", p, n, want, a.body)
		}
	}
	return ""
}

func pointer(v any, p string) (any, bool) {
	for _, part := range strings.Split(strings.TrimPrefix(p, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch t := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = t[part]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v = t[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// TestGoldenRest replays the transcript of a Kafka Connect worker's REST interface.
func TestGoldenRest(t *testing.T) {
	g := newGoldenNode(t, workerconfig.Distributed, nil)
	replayREST(t, []*goldenNode{g}, func(*restRow) *goldenNode { return g })
}

// replayREST replays the transcript to nodes that have nothing yet: each row to the one
// that pick names, after what the transcript waited for is to be seen at each of them.
func replayREST(t *testing.T, nodes []*goldenNode, pick func(*restRow) *goldenNode) {
	t.Helper()
	rows := golden.Read[restRow](t, "rest.jsonl")
	rules := restDifferences(t)
	first := nodes[0]
	for name, text := range map[string]string{"in.txt": "alpha\nbeta\ngamma\n", "in2.txt": "one\ntwo\n"} {
		if err := os.WriteFile(filepath.Join(first.files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	used := make(map[string]int)
	gone := make(map[string]bool) // deleted here, and there refused
	waived, failures := 0, 0
	for i := range rows {
		r := &rows[i]
		r.Path, r.ResponseBody = first.local(r.Path), first.local(r.ResponseBody)
		if r.Body != nil {
			b := first.local(*r.Body)
			r.Body = &b
		}
		if err := waitREST(nodes, r.WaitBefore); err != nil {
			t.Errorf("%s: %v", r.ID, err)
			failures++
		}
		var rule *restDifference
		for j := range rules {
			if rules[j].covers(r) {
				rule = &rules[j]
				break
			}
		}
		diff := ""
		n := pick(r)
		until := time.Now().Add(5 * time.Second)
		for {
			a := n.send(r.Method, r.Path, r.Headers, r.Body)
			diff = compareRest(r, a, rule, gone)
			if diff == "" || r.Method != "GET" || time.Now().After(until) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if diff != "" {
			failures++
			t.Errorf("%s: %s %s at %s\n\t%s", r.ID, r.Method, r.Path, n.addr, diff)
			continue
		}
		if rule != nil {
			used[rule.Name]++
			if rule.want(r.Method) != "same" {
				waived++
			}
			if rule.Name == "refused-names" && r.Method == "DELETE" {
				if name, err := url.PathUnescape(strings.TrimPrefix(r.Path, "/connectors/")); err == nil {
					gone[name] = true
				}
			}
		}
	}
	for _, d := range rules {
		t.Logf("difference %s: %d rows", d.Name, used[d.Name])
		if used[d.Name] == 0 && os.Getenv("TROUPE_GOLDEN") == "" {
			t.Errorf("the difference %s covers no row", d.Name)
		}
	}
	t.Logf("%d rows, %d of them waived, %d failed", len(rows), waived, failures)
}

// compareRest describes how an answer differs from the recorded one, "" when it
// doesn't.
func compareRest(r *restRow, a restAnswer, rule *restDifference, gone map[string]bool) string {
	if rule != nil {
		switch want := rule.want(r.Method); {
		case want == "same":
		case strings.HasPrefix(want, "!"):
			if strconv.Itoa(a.status) == want[1:] {
				return fmt.Sprintf("difference %s: status %d %.300s", rule.Name, a.status, a.body)
			}
			return ""
		default:
			if strconv.Itoa(a.status) != want {
				return fmt.Sprintf("difference %s: status %d, want %s: %.300s", rule.Name, a.status, want, a.body)
			}
			if a.status >= 400 && a.header.Get("Content-Type") == "application/json" {
				var e struct {
					Code    int `json:"error_code"`
					Message string
				}
				if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code != a.status || e.Message == "" {
					return fmt.Sprintf("difference %s: the error's body is %q", rule.Name, a.body)
				}
			}
			return ""
		}
	}
	if a.status != r.Status {
		return fmt.Sprintf("status %d, want %d; got  %.600s\n\twant %.600s", a.status, r.Status, a.body, r.ResponseBody)
	}
	if got, want := a.header.Get("Content-Type"), r.ResponseHeaders["Content-Type"]; got != want {
		return fmt.Sprintf("Content-Type %q, want %q", got, want)
	}
	if got, want := allowSet(a.header.Get("Allow")), allowSet(r.ResponseHeaders["Allow"]); !slices.Equal(got, want) {
		return fmt.Sprintf("Allow %q, want %q", got, want)
	}
	if got, want := a.header.Get("Location"), r.ResponseHeaders["Location"]; pathOf(got) != pathOf(want) || (got == "") != (want == "") {
		return fmt.Sprintf("Location %q, want %q", got, want)
	}
	if r.ResponseHeaders["Content-Type"] == "text/plain" {
		if !slices.Equal(allowSet(a.body), allowSet(r.ResponseBody)) {
			return fmt.Sprintf("body %q, want %q", a.body, r.ResponseBody)
		}
		return ""
	}
	if r.ResponseBody == "" || a.body == "" {
		if a.body != r.ResponseBody {
			return fmt.Sprintf("body %.300q, want %.300q", a.body, r.ResponseBody)
		}
		return ""
	}
	got, err := decodeJSON(a.body)
	if err != nil {
		return fmt.Sprintf("the body is no JSON: %v: %.300s", err, a.body)
	}
	want, err := decodeJSON(r.ResponseBody)
	if err != nil {
		return "the recorded body is no JSON: " + err.Error()
	}
	c := restComparison{path: r.Path, rule: rule, gone: gone}
	got, want = c.prepare(got, false), c.prepare(want, true)
	return diffJSON("", want, got)
}

func pathOf(location string) string {
	if _, rest, ok := strings.Cut(location, "://"); ok {
		if _, path, ok := strings.Cut(rest, "/"); ok {
			return "/" + path
		}
	}
	return location
}

func allowSet(s string) []string {
	var out []string
	for _, p := range strings.Split(s, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	sort.Strings(out)
	return out
}

func decodeJSON(s string) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// restComparison brings two bodies into the form in which they are compared.
type restComparison struct {
	path string
	rule *restDifference
	gone map[string]bool
}

func (c *restComparison) is(rule string) bool { return c.rule != nil && c.rule.Name == rule }

func (c *restComparison) prepare(v any, recorded bool) any {
	path, _, _ := strings.Cut(c.path, "?")
	path = strings.TrimSuffix(path, "/")
	switch {
	case c.is("loggers-list"):
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for name, l := range m {
			l, ok := l.(map[string]any)
			if !ok || len(l) != 2 || l["level"] == nil {
				return "a logger without level and last_modified: " + name
			}
		}
		return m["root"]
	case c.is("added-plugins"):
		list, ok := v.([]any)
		if !ok {
			return v
		}
		return slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			class, _ := pointer(e, "/class")
			s, _ := class.(string)
			return !strings.HasPrefix(s, "org.apache.kafka.")
		})
	case c.is("added-settings"):
		v = withoutTroupe(v)
	case path == "/connectors":
		v = c.withoutGone(v)
	case strings.HasSuffix(path, "/offsets"), strings.HasSuffix(path, "/topics"):
		sortLists(v)
	}
	return c.soften("", v)
}

// withoutGone drops connectors that could be deleted here alone, and the order.
func (c *restComparison) withoutGone(v any) any {
	switch t := v.(type) {
	case []any:
		out := slices.DeleteFunc(slices.Clone(t), func(e any) bool { s, ok := e.(string); return ok && c.gone[s] })
		sort.Slice(out, func(i, j int) bool { return fmt.Sprint(out[i]) < fmt.Sprint(out[j]) })
		return out
	case map[string]any:
		for name := range t {
			if c.gone[name] {
				delete(t, name)
			}
		}
	}
	return v
}

func sortLists(v any) {
	switch t := v.(type) {
	case map[string]any:
		for _, e := range t {
			sortLists(e)
		}
	case []any:
		key := func(e any) string { b, _ := json.Marshal(e); return string(b) }
		sort.Slice(t, func(i, j int) bool { return key(t[i]) < key(t[j]) })
	}
}

// withoutTroupe drops the settings and the group that Kafka Connect lacks.
func withoutTroupe(v any) any {
	added := func(group any) bool {
		g, _ := group.(string)
		return g == "Troupe" || strings.HasSuffix(g, ": Troupe") // the latter of a step of a chain
	}
	ours := func(def any) bool { g, _ := pointer(def, "/group"); return added(g) }
	switch t := v.(type) {
	case []any: // GET .../config
		return slices.DeleteFunc(slices.Clone(t), ours)
	case map[string]any:
		if groups, ok := t["groups"].([]any); ok {
			t["groups"] = slices.DeleteFunc(groups, added)
		}
		if configs, ok := t["configs"].([]any); ok {
			t["configs"] = slices.DeleteFunc(configs, func(e any) bool { d, _ := pointer(e, "/definition"); return ours(d) })
			for _, e := range configs {
				withoutAddedClasses(e)
			}
		}
		return t
	}
	return v
}

// withoutAddedClasses drops recommended classes that Kafka Connect does not come with.
func withoutAddedClasses(config any) {
	value, _ := pointer(config, "/value")
	v, _ := value.(map[string]any)
	if list, ok := v["recommended_values"].([]any); ok {
		v["recommended_values"] = slices.DeleteFunc(list, func(e any) bool { s, _ := e.(string); return strings.HasPrefix(s, "io.confluent.") })
	}
}

// unstable are members that vary from place to place.
var unstable = []string{"commit", "kafka_cluster_id", "last_modified"}

var foreignText = regexp.MustCompile(`(?s)(PluginDesc\{|Invalid regex: |java\.lang\.IllegalArgumentException: ).*`)

// soften replaces what no two workers say alike.
func (c *restComparison) soften(key string, v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			if slices.Contains(unstable, k) && e != nil {
				t[k] = "…"
				continue
			}
			t[k] = c.soften(k, e)
		}
	case []any:
		for i, e := range t {
			t[i] = c.soften(key, e)
		}
	case string:
		if key == "trace" {
			line, _, _ := strings.Cut(t, "\n")
			return line
		}
		return foreignText.ReplaceAllString(t, "$1…")
	}
	return v
}

// diffJSON describes the first difference of two JSON values.
func diffJSON(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, k := range sortedKeys(w) {
			gv, ok := g[k]
			if !ok {
				return fmt.Sprintf("%s/%s is missing, want %s; got %.600s", at, k, short(w[k]), short(got))
			}
			if d := diffJSON(at+"/"+k, w[k], gv); d != "" {
				return d
			}
		}
		for _, k := range sortedKeys(g) {
			if _, ok := w[k]; !ok {
				return fmt.Sprintf("%s/%s is %s and was not recorded", at, k, short(g[k]))
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		for i := range w {
			if i >= len(g) {
				return fmt.Sprintf("%s has %d elements, want %d: got %s want %s", at, len(g), len(w), short(got), short(want))
			}
			if d := diffJSON(fmt.Sprintf("%s/%d", at, i), w[i], g[i]); d != "" {
				return d
			}
		}
		if len(g) > len(w) {
			return fmt.Sprintf("%s has %d elements, want %d: got %s want %s", at, len(g), len(w), short(got), short(want))
		}
		return ""
	default:
		if reflect.DeepEqual(want, got) {
			return ""
		}
	}
	return fmt.Sprintf("%s\n\tgot  %s\n\twant %s", at, short(got), short(want))
}

func short(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	if b.Len() > 900 {
		b.Truncate(900)
	}
	return strings.TrimSpace(b.String())
}
