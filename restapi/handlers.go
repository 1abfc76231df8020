package restapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// requestTimeout bounds what a request may ask of the herder; Kafka Connect's.
const requestTimeout = 90 * time.Second

// Plugins is what the gateway asks about plugins: their list, their settings and
// the validation of a configuration. Answers are ready to be encoded.
type Plugins interface {
	List(connectorsOnly bool) any
	Config(name, version string) (any, error)
	// Validate answers PUT .../config/validate for the plugin named in the path.
	// order has the configuration's keys as they were sent.
	Validate(ctx context.Context, plugin string, config map[string]*string, order []string) (any, error)
	// Check validates a configuration before it is stored and returns what will be
	// stored, or the 400 of Kafka Connect.
	Check(ctx context.Context, config map[string]*string) (map[string]string, error)
}

// api has the handlers.
type api struct {
	herder  cluster.API
	plugins Plugins
	loggers Loggers
	openapi []byte
	metrics http.Handler // nil: none

	standalone bool
	timeout    time.Duration // 0: requestTimeout

	nodes   cluster.Nodes // nil: there is no cluster
	signer  *signer       // nil: no other node ever asks
	forward *forwarder    // nil with it
}

// within runs f with the request's deadline and answers its error. f may be run more
// than once, so that it writes an answer only when it is through; where another node
// is the one to carry the request out, its answer is given instead.
func (a *api) within(w http.ResponseWriter, r *request, f func(ctx context.Context) error) {
	timeout := a.timeout
	if timeout == 0 {
		timeout = requestTimeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	if a.forward != nil && cluster.AttemptOf(ctx) == nil {
		ctx = cluster.WithAttempt(ctx, new(cluster.Attempt))
	}
	err := f(ctx)
	if err != nil && a.forward != nil {
		err = a.forward.settle(ctx, w, r, f, err)
	}
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		writeError(w, http.StatusInternalServerError, "Request timed out")
	default:
		fail(w, err)
	}
}

// routes is the table of the interface.
func (a *api) routes() []route {
	get := func(p string, h handler) route {
		return route{pattern: p, methods: map[string]handler{http.MethodGet: h}}
	}
	put := func(p string, h handler) route {
		return route{pattern: p, methods: map[string]handler{http.MethodPut: h}}
	}
	const mPost, mPut, mPatch = http.MethodPost, http.MethodPut, http.MethodPatch
	post := func(p string, h handler) route {
		return route{pattern: p, methods: map[string]handler{http.MethodPost: h}}
	}
	rs := []route{
		get("/", a.root),
		get("/health", a.health),
		{pattern: "/connectors", body: []string{mPost}, methods: map[string]handler{http.MethodGet: a.list, mPost: a.create}},
		{pattern: "/connectors/{connector}", methods: map[string]handler{http.MethodGet: a.info, http.MethodDelete: a.remove}},
		{pattern: "/connectors/{connector}/config", body: []string{mPut, mPatch},
			methods: map[string]handler{http.MethodGet: a.config, mPut: a.putConfig, mPatch: a.patchConfig}},
		get("/connectors/{connector}/status", a.status),
		post("/connectors/{connector}/restart", a.restart),
		put("/connectors/{connector}/stop", a.stop),
		put("/connectors/{connector}/pause", a.pause),
		put("/connectors/{connector}/resume", a.resume),
		{pattern: "/connectors/{connector}/tasks", body: []string{mPost}, methods: map[string]handler{http.MethodGet: a.tasks, mPost: a.internalTasks}},
		put("/connectors/{connector}/fence", a.internalFence),
		get("/connectors/{connector}/tasks/{task:int}/status", a.taskStatus),
		post("/connectors/{connector}/tasks/{task:int}/restart", a.restartTask),
		get("/connectors/{connector}/topics", a.topics),
		put("/connectors/{connector}/topics/reset", a.resetTopics),
		{pattern: "/connectors/{connector}/offsets", body: []string{mPatch},
			methods: map[string]handler{http.MethodGet: a.offsets, mPatch: a.alterOffsets, http.MethodDelete: a.resetOffsets}},
		get("/connector-plugins", a.listPlugins),
		get("/connector-plugins/{plugin}/config", a.pluginConfig),
		{pattern: "/connector-plugins/{plugin}/config/validate", body: []string{mPut}, methods: map[string]handler{mPut: a.validate}},
		get("/cluster", a.cluster),
		{pattern: "/cluster/acks", body: []string{mPost}, methods: map[string]handler{mPost: a.acknowledge}},
		post("/cluster/nodes/{node}/drain", a.drain(true)),
		post("/cluster/nodes/{node}/undrain", a.drain(false)),
		{pattern: "/openapi.yaml", produces: "application/yaml", methods: map[string]handler{http.MethodGet: a.openAPI}},
	}
	if a.metrics != nil {
		rs = append(rs, route{pattern: "/metrics", produces: "text/plain", methods: map[string]handler{http.MethodGet: func(w http.ResponseWriter, r *request) { a.metrics.ServeHTTP(w, r.Request) }}})
	}
	return rs
}

func (a *api) adminRoutes() []route {
	return []route{
		{pattern: "/admin/loggers", methods: map[string]handler{http.MethodGet: a.listLoggers}},
		{pattern: "/admin/loggers/{logger}", body: []string{http.MethodPut}, methods: map[string]handler{http.MethodGet: a.logger, http.MethodPut: a.setLogger}},
	}
}

func (a *api) openAPI(w http.ResponseWriter, _ *request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(a.openapi)
}

func (a *api) root(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		s, err := a.herder.Server(ctx)
		if err == nil {
			writeJSON(w, http.StatusOK, struct {
				Version string `json:"version"`
				Commit  string `json:"commit"`
				Cluster string `json:"kafka_cluster_id"`
			}{s.Version, s.Commit, s.KafkaClusterID})
		}
		return err
	})
}

func (a *api) health(w http.ResponseWriter, r *request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	h := a.herder.Health(ctx)
	status := map[string]int{"healthy": http.StatusOK, "starting": http.StatusServiceUnavailable}[h.Status]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{h.Status, h.Message})
}

type taskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

type infoBody struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []taskID          `json:"tasks"`
	Type   string            `json:"type"`
}

func infoOf(i cluster.ConnectorInfo) infoBody {
	b := infoBody{Name: i.Name, Config: i.Config, Tasks: []taskID{}, Type: i.Type}
	for _, t := range i.Tasks {
		b.Tasks = append(b.Tasks, taskID{t.Connector, t.Task})
	}
	return b
}

type instanceBody struct {
	State    string  `json:"state"`
	WorkerID string  `json:"worker_id"`
	Version  *string `json:"version"`
	Trace    string  `json:"trace,omitempty"`
}

type taskStatusBody struct {
	ID int `json:"id"`
	instanceBody
}

type statusBody struct {
	Name      string           `json:"name"`
	Connector instanceBody     `json:"connector"`
	Tasks     []taskStatusBody `json:"tasks"`
	Type      string           `json:"type"`
}

func instanceOf(s cluster.InstanceStatus) instanceBody {
	return instanceBody{s.State, s.WorkerID, s.Version, s.Trace}
}

func statusOf(s cluster.ConnectorStatus) statusBody {
	b := statusBody{Name: s.Name, Connector: instanceOf(s.Connector), Tasks: []taskStatusBody{}, Type: s.Type}
	for _, t := range s.Tasks {
		b.Tasks = append(b.Tasks, taskStatusBody{t.ID, instanceOf(t.InstanceStatus)})
	}
	return b
}

func (a *api) list(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		names, err := a.herder.Connectors(ctx)
		if err != nil {
			return err
		}
		expand, ok := r.query["expand"]
		if !ok {
			if names == nil {
				names = []string{}
			}
			writeJSON(w, http.StatusOK, names)
			return nil
		}
		out := make(map[string]map[string]any)
	next:
		for _, name := range names {
			one := make(map[string]any)
			for _, e := range expand {
				switch e {
				case "status":
					s, err := a.herder.Status(ctx, name)
					if err != nil {
						continue next // it has no status yet, or is gone
					}
					one[e] = statusOf(s)
				case "info":
					i, err := a.herder.Connector(ctx, name)
					if err != nil {
						continue next
					}
					one[e] = infoOf(i)
				}
			}
			out[name] = one
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	})
}

// createBody is the body of POST /connectors.
type createBody struct {
	Name    *text
	Config  map[string]*text
	Initial *text
}

func (a *api) create(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		b, err := readBody(r)
		if err != nil {
			return err
		}
		if b == nil {
			return unreadable(errors.New(`it is empty; {"name": ..., "config": {...}} is expected`))
		}
		var req createBody
		if _, err := decodeObject(b, map[string]any{"name": &req.Name, "config": &req.Config, "initial_state": &req.Initial}); err != nil {
			return err
		}
		if req.Config == nil {
			return unreadable(errors.New(`"config" is missing; {"name": ..., "config": {...}} is expected`))
		}
		initial, err := initialState(req.Initial)
		if err != nil {
			return err
		}
		name := ""
		if req.Name != nil {
			name = strings.TrimFunc(string(*req.Name), func(c rune) bool { return c <= ' ' })
		}
		config := plain(req.Config)
		if err := named(config, name); err != nil {
			return err
		}
		checked, err := a.plugins.Check(ctx, config)
		if err != nil {
			return err
		}
		info, _, err := a.herder.PutConnector(ctx, name, checked, initial, false)
		if err != nil {
			return err
		}
		w.Header().Set("Location", location(r, "/connectors/", name))
		writeJSON(w, http.StatusCreated, infoOf(info))
		return nil
	})
}

func initialState(t *text) (*connectors.TargetState, error) {
	if t == nil {
		return nil, nil
	}
	for _, s := range []connectors.TargetState{connectors.Started, connectors.Paused, connectors.Stopped} {
		name := s.String()
		if s == connectors.Started {
			name = "RUNNING"
		}
		if strings.EqualFold(string(*t), name) {
			return &s, nil
		}
	}
	return nil, unreadable(fmt.Errorf("initial_state is %q; RUNNING, PAUSED and STOPPED are the states", *t))
}

// named checks the name within a configuration against that of the connector and
// adds it where it is missing.
func named(config map[string]*string, name string) error {
	have, ok := config["name"]
	if !ok {
		config["name"] = &name
		return nil
	}
	if have == nil || *have != name {
		v := "null"
		if have != nil {
			v = *have
		}
		return cluster.Errorf(http.StatusBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", v, name)
	}
	return nil
}

// ownBase is this interface's address as the caller knows it, without a slash.
func ownBase(r *request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// location is the address of something that was made, escaped as Kafka Connect does
// it: what may stand in a path stays, a slash too.
func location(r *request, path, name string) string {
	var b strings.Builder
	b.WriteString(ownBase(r) + path)
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (a *api) info(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		i, err := a.herder.Connector(ctx, r.vars["connector"])
		if err == nil {
			writeJSON(w, http.StatusOK, infoOf(i))
		}
		return err
	})
}

func (a *api) config(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		i, err := a.herder.Connector(ctx, r.vars["connector"])
		if err == nil {
			writeJSON(w, http.StatusOK, i.Config)
		}
		return err
	})
}

func (a *api) putConfig(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		config, err := configBody(r)
		if err != nil {
			return err
		}
		name := r.vars["connector"]
		if err := named(config, name); err != nil {
			return err
		}
		checked, err := a.plugins.Check(ctx, config)
		if err != nil {
			return err
		}
		info, created, err := a.herder.PutConnector(ctx, name, checked, nil, true)
		if err != nil {
			return err
		}
		status := http.StatusOK
		if created {
			status = http.StatusCreated
			w.Header().Set("Location", location(r, "/connectors/", name))
		}
		writeJSON(w, status, infoOf(info))
		return nil
	})
}

func (a *api) patchConfig(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		patch, err := configBody(r)
		if err != nil {
			return err
		}
		info, err := a.herder.PatchConnector(ctx, r.vars["connector"], patch)
		if err == nil {
			writeJSON(w, http.StatusOK, infoOf(info))
		}
		return err
	})
}

func (a *api) remove(w http.ResponseWriter, r *request) {
	a.do(w, r, http.StatusNoContent, a.herder.DeleteConnector)
}
func (a *api) stop(w http.ResponseWriter, r *request) {
	a.do(w, r, http.StatusNoContent, a.herder.StopConnector)
}
func (a *api) pause(w http.ResponseWriter, r *request) {
	a.do(w, r, http.StatusAccepted, a.herder.Pause)
}
func (a *api) resume(w http.ResponseWriter, r *request) {
	a.do(w, r, http.StatusAccepted, a.herder.Resume)
}
func (a *api) resetTopics(w http.ResponseWriter, r *request) {
	a.do(w, r, http.StatusAccepted, a.herder.ResetTopics)
}

// do is for requests that name a connector and are answered without a body.
func (a *api) do(w http.ResponseWriter, r *request, status int, f func(context.Context, string) error) {
	a.within(w, r, func(ctx context.Context) error {
		if err := f(ctx, r.vars["connector"]); err != nil {
			return err
		}
		w.WriteHeader(status)
		return nil
	})
}

func (a *api) status(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		s, err := a.herder.Status(ctx, r.vars["connector"])
		if err == nil {
			writeJSON(w, http.StatusOK, statusOf(s))
		}
		return err
	})
}

func (a *api) restart(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		req := cluster.RestartRequest{Connector: r.vars["connector"],
			IncludeTasks: strings.EqualFold(r.query.Get("includeTasks"), "true"), OnlyFailed: strings.EqualFold(r.query.Get("onlyFailed"), "true")}
		if !req.IncludeTasks && !req.OnlyFailed {
			if err := a.herder.RestartConnector(ctx, req.Connector); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		s, err := a.herder.RestartConnectorAndTasks(ctx, req)
		if err == nil {
			writeJSON(w, http.StatusAccepted, statusOf(s))
		}
		return err
	})
}

func (a *api) tasks(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		ts, err := a.herder.Tasks(ctx, r.vars["connector"])
		if err != nil {
			return err
		}
		type body struct {
			ID     taskID            `json:"id"`
			Config map[string]string `json:"config"`
		}
		out := []body{}
		for _, t := range ts {
			out = append(out, body{taskID{t.ID.Connector, t.ID.Task}, t.Config})
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	})
}

func task(r *request) connectors.TaskID {
	n, _ := strconv.ParseInt(r.vars["task"], 10, 32) // the route takes numbers only
	return connectors.TaskID{Connector: r.vars["connector"], Task: int(n)}
}

func (a *api) taskStatus(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		s, err := a.herder.TaskStatus(ctx, task(r))
		if err == nil {
			writeJSON(w, http.StatusOK, taskStatusBody{s.ID, instanceOf(s.InstanceStatus)})
		}
		return err
	})
}

func (a *api) restartTask(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		if err := a.herder.RestartTask(ctx, task(r)); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

func (a *api) topics(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		topics, err := a.herder.Topics(ctx, r.vars["connector"])
		if err != nil {
			return err
		}
		if topics == nil {
			topics = []string{}
		}
		writeJSON(w, http.StatusOK, map[string]map[string][]string{r.vars["connector"]: {"topics": topics}})
		return nil
	})
}

type offsetBody struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

type offsetsBody struct {
	Offsets []offsetBody `json:"offsets"`
}

func (a *api) offsets(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		offs, err := a.herder.Offsets(ctx, r.vars["connector"])
		if err != nil {
			return err
		}
		out := offsetsBody{Offsets: []offsetBody{}}
		for _, o := range offs {
			out.Offsets = append(out.Offsets, offsetBody{appendValue(nil, o.Partition), appendValue(nil, o.Offset)})
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	})
}

func (a *api) alterOffsets(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		b, err := readBody(r)
		if err != nil {
			return err
		}
		const needed = "Partitions / offsets need to be provided for an alter offsets request"
		if b == nil {
			return cluster.Errorf(http.StatusBadRequest, needed)
		}
		var list []json.RawMessage
		if _, err := decodeObject(b, map[string]any{"offsets": &list}); err != nil {
			return err
		}
		if len(list) == 0 {
			return cluster.Errorf(http.StatusBadRequest, needed)
		}
		var offs []cluster.Offset
		for _, raw := range list {
			var o offsetBody
			if ok, err := decodeObject(raw, map[string]any{"partition": &o.Partition, "offset": &o.Offset}); err != nil {
				return err
			} else if !ok {
				return unreadable(errors.New("an element of offsets is null"))
			}
			p, err := parseValue(o.Partition)
			if err != nil {
				return unreadable(err)
			}
			v, err := parseValue(o.Offset)
			if err != nil {
				return unreadable(err)
			}
			if k := p.Kind(); k != data.KindNull && k != data.KindMap {
				return unreadable(errors.New("a partition must be an object"))
			}
			if k := v.Kind(); k != data.KindNull && k != data.KindMap {
				return unreadable(errors.New("an offset must be an object or null"))
			}
			offs = append(offs, cluster.Offset{Partition: p, Offset: v})
		}
		msg, err := a.herder.AlterOffsets(ctx, r.vars["connector"], offs)
		if err == nil {
			writeJSON(w, http.StatusOK, map[string]string{"message": msg})
		}
		return err
	})
}

func (a *api) resetOffsets(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		msg, err := a.herder.ResetOffsets(ctx, r.vars["connector"])
		if err == nil {
			writeJSON(w, http.StatusOK, map[string]string{"message": msg})
		}
		return err
	})
}

func (a *api) listPlugins(w http.ResponseWriter, r *request) {
	only := true
	if v := r.query.Get("connectorsOnly"); v != "" {
		only = strings.EqualFold(v, "true")
	}
	writeJSON(w, http.StatusOK, a.plugins.List(only))
}

func (a *api) pluginConfig(w http.ResponseWriter, r *request) {
	out, err := a.plugins.Config(r.vars["plugin"], r.query.Get("version"))
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (a *api) validate(w http.ResponseWriter, r *request) {
	a.within(w, r, func(ctx context.Context) error {
		config, order, err := orderedConfigBody(r)
		if err != nil {
			return err
		}
		out, err := a.plugins.Validate(ctx, r.vars["plugin"], config, order)
		if err == nil {
			writeJSON(w, http.StatusOK, out)
		}
		return err
	})
}
