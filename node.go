package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/connectconfig"
	"github.com/troupeio/troupe/connectors/converters"
	csvconnector "github.com/troupeio/troupe/connectors/csv"
	"github.com/troupeio/troupe/connectors/file"
	"github.com/troupeio/troupe/connectors/probe"
	"github.com/troupeio/troupe/connectors/transforms"
	"github.com/troupeio/troupe/restapi"
)

// registry holds every plugin that is part of the program.
func registry() (*connectors.Registry, error) {
	return connectors.NewRegistry(file.Plugins(), csvconnector.Plugins(), probe.Plugins(), converters.Plugins(), transforms.Plugins())
}

// node is one running worker with everything around it.
type node struct {
	log      *slog.Logger
	settings *workerconfig.Settings
	workerID string
	herder   *cluster.Herder
	plugins  *cluster.Plugins
	worker   *worker.Worker
	pid      *actor.PID
	system   *actor.ActorSystem
	rest     *restapi.Server
	logs     *store.Logs // nil in standalone mode
	tracing  *telemetry.Tracing
	metrics  atomic.Pointer[http.Handler]
	failed   chan error
	closers  []func()
	// exclusive says that others may reach the same topics, so that this node must be
	// the only one in its group.
	exclusive bool
}

// loadSettings reads and checks a worker's properties.
func loadSettings(mode workerconfig.Mode, props map[string]string, log *slog.Logger) (*workerconfig.Settings, *configprovider.Resolver, error) {
	first, err := configprovider.New(props, configprovider.WithLogger(log))
	if err != nil {
		return nil, nil, err
	}
	resolved, _, err := first.Resolve(context.Background(), props)
	if err != nil {
		return nil, nil, fmt.Errorf("resolving the worker's properties: %w", err)
	}
	resolver, err := configprovider.New(resolved, configprovider.WithLogger(log))
	if err != nil {
		return nil, nil, err
	}
	settings, err := workerconfig.Parse(mode, resolved)
	if err != nil {
		return nil, nil, fmt.Errorf("the worker's properties are not valid:\n%w", err)
	}
	for _, n := range settings.Notes {
		log.Info("worker property: " + n)
	}
	return settings, resolver, nil
}

func loadWorkerFile(path string) (map[string]string, error) {
	p, err := properties.Load(path)
	if err != nil {
		return nil, &fatal{exitUsage, fmt.Errorf("reading the worker's properties: %w", err)}
	}
	return p.Map(), nil
}

// startNode brings a worker up. What was started is stopped again when it fails.
func startNode(ctx context.Context, mode workerconfig.Mode, props map[string]string, exclusive bool, logs *telemetry.Logs) (_ *node, err error) {
	begun := time.Now()
	log := logs.Logger(telemetry.LogStartup)
	settings, resolver, err := loadSettings(mode, props, log)
	if err != nil {
		return nil, err
	}
	n := &node{log: log, settings: settings, failed: make(chan error, 4), exclusive: exclusive}
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	reg, err := registry()
	if err != nil {
		return nil, err
	}
	standalone := mode == workerconfig.Standalone
	n.plugins = &cluster.Plugins{Registry: reg, Resolver: resolver, Policy: settings.Policy, Standalone: standalone,
		GroupID: settings.Props["group.id"], Worker: connectconfig.Worker{KeyConverter: settings.Values.String("key.converter"),
			ValueConverter: settings.Values.String("value.converter"), HeaderConverter: settings.Values.String("header.converter")}}
	if err := checkConverters(reg, settings.Props); err != nil {
		return nil, err
	}

	// The port is open while the stores are read; requests wait for the herder.
	n.herder = cluster.NewHerder(cluster.Options{Standalone: standalone, Registry: reg, Resolver: resolver, Check: n.plugins.Check,
		Log: logs.Logger(telemetry.LogHerder), SetLevel: func(ns, level string) { logs.Set(ns, level) },
		TopicTracking: settings.TopicTracking, TopicReset: settings.TopicReset, Sinks: &cluster.Groups{Worker: settings.Props, Log: log}})
	v := settings.Values
	policy := task.Policy{Never: v.String("task.restart.policy") == "never", MaxCrashes: v.Int("task.restart.max"),
		Window: time.Duration(v.Long("task.restart.window.ms")) * time.Millisecond, Initial: time.Second, MaxDelay: 5 * time.Minute}
	states := telemetry.NewStates(n.herder)
	cfg := worker.Config{Group: settings.Props["group.id"], Props: settings.Props, Registry: reg, Resolver: resolver, Listener: states,
		Offsets: func(name string, _ int64) task.OffsetStore {
			return offsets{store.ConnectorOffsets{Store: n.herder.Options.Offsets, Connector: name}}
		},
		Log: logs.Logger(telemetry.LogTask), Policy: policy, Grace: settings.Grace, CallTimeout: settings.CallTimeout,
		FlushInterval: settings.FlushInterval, FlushTimeout: settings.FlushTimeout, Budget: v.Long("task.buffer.bytes"),
		TopicCreation: settings.TopicCreation, StaticMembers: !standalone}
	n.worker = worker.New(cfg)
	if err := n.startREST(ctx, logs); err != nil {
		return nil, err
	}
	n.herder.WorkerID, n.worker.ID = n.workerID, n.workerID
	if n.tracing, err = telemetry.FromEnv(ctx, os.Getenv, version, n.workerID); err != nil {
		return nil, err
	}
	n.worker.Spans = n.tracing.Spans()
	if err := n.openStores(ctx, logs); err != nil {
		return nil, err
	}
	n.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logs.Logger("troupe.actors") }))
	n.pid = n.system.Root.Spawn(n.worker.ActorProps())
	deadLetters, stopCounting := telemetry.CountDeadLetters(n.system)
	n.closers = append(n.closers, stopCounting)
	clientID := settings.Props["client.id"]
	if clientID == "" {
		clientID = "connect-" + n.workerID
	}
	mc := telemetry.Config{Work: n.worker, Totals: &n.worker.Totals, States: states, DeadLetters: deadLetters, ClientID: clientID,
		Version: version, Commit: commit, Start: begun, Log: log}
	if !standalone {
		mc.Rebalance = func() telemetry.Rebalance {
			return telemetry.Rebalance{Protocol: "SESSIONED", Leader: "http://" + n.workerID + "/", Epoch: 1, Completed: 1, Last: begun}
		}
	}
	handler := telemetry.NewMetrics(mc).Handler()
	n.metrics.Store(&handler)
	n.herder.Start(n.system, n.pid)
	log.Info("Kafka Connect started", "worker", n.workerID, "version", version)
	return n, nil
}

// checkConverters finds a worker's converters before anything else does.
func checkConverters(reg *connectors.Registry, props map[string]string) error {
	var errs []error
	for key, kind := range map[string]connectors.Kind{"key.converter": connectors.ConverterKind, "value.converter": connectors.ConverterKind, "header.converter": connectors.HeaderConverterKind} {
		if class := props[key]; class != "" {
			if _, ok := reg.Find(class, kind); !ok {
				errs = append(errs, fmt.Errorf("Invalid value %s for configuration %s: Class %s could not be found.", class, key, class))
			}
		}
	}
	return errors.Join(errs...)
}

// openStores makes the stores, creates or checks their topics and reads them to
// their end.
func (n *node) openStores(ctx context.Context, logs *telemetry.Logs) error {
	props, v, h := n.settings.Props, n.settings.Values, n.herder
	log := logs.Logger(telemetry.LogStore)
	adminOpts := func(extra ...kgo.Opt) (*kgo.Client, error) {
		id := strings.TrimPrefix(strings.Join([]string{props["group.id"], props["client.id"], "internal"}, "-"), "-")
		res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.InternalProps(kafkaclient.Admin, props, id), kafkaclient.Env{Logger: log})
		if err != nil {
			return nil, err
		}
		return kgo.NewClient(append(res.Opts, extra...)...)
	}
	// Whether this node may be here is asked while the topics are read; before it is
	// known nothing is written to them but the topics themselves.
	membership := group.Options{Client: adminOpts, Group: props["group.id"], Instance: n.workerID, Topic: props["config.storage.topic"], Failed: n.fail, Log: log}
	allowed := make(chan error, 1)
	if n.exclusive {
		membership.Session = time.Duration(v.Int("session.timeout.ms")) * time.Millisecond
		membership.Heartbeat = time.Duration(v.Int("heartbeat.interval.ms")) * time.Millisecond
		gctx, gcancel := context.WithTimeout(ctx, time.Minute)
		defer gcancel()
		go func() { allowed <- group.Check(gctx, membership) }()
	} else {
		allowed <- nil
	}
	clusterID := make(chan idAnswer, 1)
	idCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() { clusterID <- lookUpClusterID(idCtx, adminOpts) }()
	if n.settings.Mode == workerconfig.Standalone {
		configs := store.NewMemoryConfigStore(h, log)
		offs, err := store.NewFileOffsetStore(store.JavaOffsetFile(props["offset.storage.file.filename"]), log)
		if err != nil {
			return err
		}
		h.Configs, h.Options.Offsets, h.Statuses = configs, offs, store.NewMemoryStatusStore()
	} else {
		n.logs = store.NewLogs(store.Options{Client: adminOpts, Log: log, Failed: func(err error) {
			n.fail(fmt.Errorf("an internal topic can no longer be read: %w", err))
		}})
		n.closers = append(n.closers, n.logs.Stop)
		topic := func(prefix string) map[string]string {
			out := make(map[string]string)
			for k, val := range props {
				rest, ok := strings.CutPrefix(k, prefix)
				if ok && rest != "topic" && rest != "partitions" && rest != "replication.factor" && rest != "file.filename" {
					out[rest] = val
				}
			}
			return out
		}
		h.Configs = store.NewConfigStore(n.logs, store.ConfigTopic(v.String("config.storage.topic"), int16(v.Int("config.storage.replication.factor")), topic("config.storage.")), h)
		h.Options.Offsets = store.NewOffsetStore(n.logs, store.OffsetTopic(v.String("offset.storage.topic"), int32(v.Int("offset.storage.partitions")), int16(v.Int("offset.storage.replication.factor")), topic("offset.storage.")))
		statuses := store.NewStatusStore(n.logs, store.StatusTopic(v.String("status.storage.topic"), int32(v.Int("status.storage.partitions")), int16(v.Int("status.storage.replication.factor")), topic("status.storage.")))
		n.closers = append(n.closers, statuses.Stop)
		h.Statuses = statuses
		if err := n.logs.Start(ctx); err != nil {
			return err
		}
	}
	if err := <-allowed; err != nil {
		return err
	}
	if n.exclusive {
		member, err := group.Join(membership)
		if err != nil {
			return err
		}
		n.closers = append(n.closers, func() {
			lctx, lcancel := context.WithTimeout(context.Background(), 4*time.Second)
			defer lcancel()
			if err := member.Leave(lctx); err != nil {
				log.Warn("leaving the worker's group failed", "err", err)
			}
		})
	}
	id := <-clusterID
	if id.err != nil {
		return fmt.Errorf("asking Kafka at %s for its cluster id: %w", props["bootstrap.servers"], id.err)
	}
	h.Options.Server = cluster.ServerInfo{Version: connectors.KafkaVersion, Commit: commit, KafkaClusterID: id.id}
	return nil
}

type idAnswer struct {
	id  string
	err error
}

// lookUpClusterID asks the broker who it is; standalone workers need it too.
func lookUpClusterID(ctx context.Context, client store.NewClient) idAnswer {
	cl, err := client()
	if err != nil {
		return idAnswer{err: err}
	}
	defer cl.Close()
	for {
		m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
		var refused *kerr.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			return idAnswer{m.Cluster, err}
		}
		select { // the broker is away; it may come while ctx lasts
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n *node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// startREST opens the listeners and finds out what this worker is called.
func (n *node) startREST(ctx context.Context, logs *telemetry.Logs) error {
	v, props := n.settings.Values, n.settings.Props
	o := restapi.Options{Herder: n.herder, Plugins: n.plugins, Loggers: loggers{logs}, Log: logs.Logger(telemetry.LogREST),
		AccessLog: logs.Logger(telemetry.LogREST + ".requests"), ServerHeader: "Troupe/" + version,
		Standalone:  n.settings.Mode == workerconfig.Standalone,
		AllowOrigin: v.String("access.control.allow.origin"), AllowMethods: v.String("access.control.allow.methods")}
	var err error
	parse := func(key string) (out []restapi.Listener, tls bool, err error) {
		for _, l := range v.List(key) {
			p, err := restapi.ParseListener(l)
			if err != nil {
				return nil, false, fmt.Errorf("Invalid value %s for configuration %s: %w", l, key, err)
			}
			out, tls = append(out, p), tls || p.Scheme == "https"
		}
		return out, tls, nil
	}
	var secure, adminSecure bool
	if o.Listeners, secure, err = parse("listeners"); err != nil {
		return err
	}
	if len(o.Listeners) == 0 {
		return errors.New("Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443.")
	}
	if val, ok := props["admin.listeners"]; ok {
		if strings.TrimSpace(val) == "" {
			o.AdminDisabled = true
		} else if o.Admin, adminSecure, err = parse("admin.listeners"); err != nil {
			return err
		}
	}
	if secure {
		if o.TLS, err = kafkaclient.TLSConfig(listenerTLS(props, "listeners.https."), true); err != nil {
			return fmt.Errorf("preparing TLS for the REST listeners: %w", err)
		}
	}
	if adminSecure {
		if o.AdminTLS, err = kafkaclient.TLSConfig(listenerTLS(props, "admin.listeners.https."), true); err != nil {
			return fmt.Errorf("preparing TLS for the admin listeners: %w", err)
		}
	}
	if o.Headers, err = restapi.ParseHeaderRules(v.String("response.http.headers.config")); err != nil {
		return err
	}
	for _, class := range v.List("rest.extension.classes") {
		if class != restapi.BasicAuthExtension {
			return fmt.Errorf("Invalid value %s for configuration rest.extension.classes: only %s is built in; another extension could be what guards the interface, so it is not left out", class, restapi.BasicAuthExtension)
		}
		if o.Auth, err = basicAuth(props, os.Getenv("KAFKA_OPTS")); err != nil {
			return err
		}
	}
	if v.Bool("rest.metrics.enable") {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // made once the worker has its name
			if h := n.metrics.Load(); h != nil {
				(*h).ServeHTTP(w, r)
				return
			}
			http.Error(w, "the worker is starting", http.StatusServiceUnavailable)
		})
	}
	if n.rest, err = restapi.Start(ctx, o); err != nil {
		return err
	}
	n.workerID = advertised(props, o.Listeners, n.rest.Addrs)
	failed := n.rest.Failed()
	go func() { // ends with the server, which closes the channel
		if err := <-failed; err != nil {
			n.fail(err)
		}
	}()
	return nil
}

// listenerTLS are the ssl.* settings of a listener: those under its prefix if there
// are any, else the worker's.
func listenerTLS(props map[string]string, prefix string) map[string]string {
	own := make(map[string]string)
	plain := make(map[string]string)
	for k, v := range props {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			own[rest] = v
		} else if strings.HasPrefix(k, "ssl.") {
			plain[k] = v
		}
	}
	if len(own) > 0 {
		return own
	}
	return plain
}

// advertised is the worker's name, host:port, by rest.advertised.*.
func advertised(props map[string]string, listeners []restapi.Listener, addrs []net.Addr) string {
	i := 0
	want := strings.ToLower(strings.TrimSpace(props["rest.advertised.listener"]))
	if want == "" {
		want = "http"
	}
	for j, l := range listeners {
		if l.Scheme == want {
			i = j
			break
		}
	}
	host := strings.TrimSpace(props["rest.advertised.host.name"])
	if host == "" {
		host = listeners[i].Host
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		if h, err := os.Hostname(); err == nil {
			host = h
		}
	}
	port := strings.TrimSpace(props["rest.advertised.port"])
	if port == "" {
		port = strconv.Itoa(addrs[i].(*net.TCPAddr).Port)
	}
	return net.JoinHostPort(host, port)
}

// stop ends everything in order: no more requests, the tasks, the herder, the
// stores.
func (n *node) stop() error {
	grace := n.settings.Grace + n.settings.FlushTimeout + 5*time.Second
	ctx, cancel := context.WithTimeout(context.Background(), 2*grace)
	defer cancel()
	var errs []error
	if n.rest != nil {
		rctx, rcancel := context.WithTimeout(ctx, 2*time.Second)
		if err := n.rest.Stop(rctx); err != nil {
			// A request that hangs in a plugin must not make an orderly end a failure.
			n.log.Warn("requests were cut off at the end", "err", err)
		}
		rcancel()
		n.rest = nil
	}
	if n.system != nil {
		done := make(chan struct{})
		n.system.Root.Send(n.pid, worker.Shutdown{Done: done})
		select {
		case <-done:
		case <-ctx.Done():
			n.log.Warn("connectors and tasks did not stop in time and are left behind", "waited", 2*grace)
		}
		fctx, fcancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := n.herder.Stop(fctx); err != nil {
			errs = append(errs, fmt.Errorf("writing the last statuses: %w", err))
		}
		fcancel()
		n.system = nil
	}
	n.close()
	n.log.Info("Kafka Connect stopped")
	return errors.Join(errs...)
}

// close releases what a start that failed has taken.
func (n *node) close() {
	if n.rest != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = n.rest.Stop(ctx)
		cancel()
	}
	for i := len(n.closers) - 1; i >= 0; i-- {
		n.closers[i]()
	}
	n.closers = nil
	_ = n.tracing.Shutdown(context.Background())
}

// wait returns when the process is told to end, or with the error that ends it.
func (n *node) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.failed:
		return err
	}
}

// offsets lets a task store what its ledger gives it.
type offsets struct{ store.ConnectorOffsets }

// Put implements [task.OffsetStore].
func (o offsets) Put(ctx context.Context, offs []task.PartitionOffset) error {
	out := make([]connectors.PartitionOffset, len(offs))
	for i, p := range offs {
		out[i] = connectors.PartitionOffset{Partition: p.Partition, Offset: p.Offset.Map()}
	}
	return o.Store.Put(ctx, o.Connector, out)
}

// loggers shows the process's log levels to REST.
type loggers struct{ *telemetry.Logs }

// All implements [restapi.Loggers].
func (l loggers) All() map[string]restapi.LoggerLevel {
	out := make(map[string]restapi.LoggerLevel)
	for n, i := range l.Logs.All() {
		out[n] = restapi.LoggerLevel(i)
	}
	return out
}

// Level implements [restapi.Loggers].
func (l loggers) Level(name string) (restapi.LoggerLevel, bool) {
	i, ok := l.Logs.Level(name)
	return restapi.LoggerLevel(i), ok
}
