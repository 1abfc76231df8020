package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/pipeline"
	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/connectors"
)

// taskProps returns the recipe of a task's actor. What it needs of the
// configuration is read anew for each incarnation, so that a value behind a
// config provider can change between two.
func (w *Worker) taskProps(id connectors.TaskID, want WantedTask) *actor.Props {
	info := &TaskInfo{ID: id, Created: time.Now(), Metrics: &task.Metrics{}, Config: want.Connector, TaskClass: want.Config["task.class"]}
	log := w.Log.With("connector", id.Connector, "task", id.Task)
	common := task.Common{ID: id, Log: log, Policy: w.Policy, Listener: w.listener(want.Epoch), Metrics: info.Metrics, Allowed: w.Allowed, Grace: w.Grace,
		CallTimeout: w.CallTimeout, Budget: w.Budget, FlushInterval: w.FlushInterval, FlushTimeout: w.FlushTimeout}
	p, ok := w.Registry.Connector(want.Connector["connector.class"])
	if ok {
		info.Kind, info.Class, info.Version = p.Kind, p.Class, p.Version
		if info.TaskClass == "" {
			info.TaskClass = p.TaskClass
		}
	}
	w.metrics.Store(id, info)
	w.Totals.TaskStarts.Add(1)
	b := &builder{w: w, id: id, want: want, info: info, plugin: p, common: common}
	if ok && p.Kind == connectors.SinkKind {
		return task.SinkProps(task.SinkSpec{Common: common, Spans: w.Spans, Build: b.sink}, want.Paused)
	}
	return task.SourceProps(task.SourceSpec{Common: common, Spans: w.Spans, Offsets: w.Offsets(id.Connector, want.Epoch), Build: b.source}, want.Paused)
}

// builder makes the parts of a task's incarnations.
type builder struct {
	w      *Worker
	id     connectors.TaskID
	want   WantedTask
	info   *TaskInfo
	plugin *connectors.Plugin // nil: the class is unknown
	common task.Common
}

// parts is what source and sink tasks have in common.
type parts struct {
	config     map[string]string // of the connector, resolved
	taskConfig map[string]string
	chain      *pipeline.Chain
	converters *pipeline.Converters
	errors     *pipeline.Errors
	logging    bool
}

func (b *builder) shared(ctx context.Context) (*parts, error) {
	if b.plugin == nil {
		return nil, missingPlugin(b.want.Connector["connector.class"], b.w.Registry)
	}
	config, _, err := b.w.Resolver.Resolve(ctx, b.want.Connector)
	if err != nil {
		return nil, configurationError("resolving the configuration of connector "+b.id.Connector, err)
	}
	taskConfig, _, err := b.w.Resolver.Resolve(ctx, b.want.Config)
	if err != nil {
		return nil, configurationError("resolving the configuration of task "+b.id.String(), err)
	}
	p := &parts{config: config, taskConfig: taskConfig}
	if p.errors, p.logging, err = b.errorHandling(config); err != nil {
		return nil, err
	}
	names := &PartNames{Transforms: map[string]PluginName{}, Predicates: map[string]PluginName{}}
	steps, err := buildSteps(b.w.Registry, config, names, b.common.Log)
	if err != nil {
		return nil, err
	}
	p.chain = &pipeline.Chain{Steps: steps, Errors: p.errors, Sink: b.plugin.Kind == connectors.SinkKind}
	if p.converters, err = b.converters(ctx, config, p.errors, names); err != nil {
		return nil, err
	}
	b.info.Parts.Store(names)
	return p, nil
}

func configurationError(what string, err error) error {
	if connectors.ClassOf(err) == connectors.Transient {
		return connectors.Errorf("%s: %w", what, err)
	}
	return &connectors.Error{JavaClass: connectors.ConfigException, Class: connectors.Configuration, Msg: what, Cause: err}
}

// errorHandling reads the errors.* settings.
func (b *builder) errorHandling(config map[string]string) (*pipeline.Errors, bool, error) {
	e := &pipeline.Errors{Counters: &b.info.Metrics.Counters, RetryDelayMax: time.Minute}
	for key, set := range map[string]func(time.Duration){
		"errors.retry.timeout":      func(d time.Duration) { e.RetryTimeout = d },
		"errors.retry.delay.max.ms": func(d time.Duration) { e.RetryDelayMax = d },
	} {
		if v := strings.TrimSpace(config[key]); v != "" {
			ms, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return nil, false, connectors.ConfigError("Invalid value %s for configuration %s: Not a number of type LONG", v, key)
			}
			set(time.Duration(ms) * time.Millisecond)
		}
	}
	e.TolerateAll = config["errors.tolerance"] == "all"
	logging := strings.EqualFold(config["errors.log.enable"], "true")
	if logging {
		e.Reporters = append(e.Reporters, &pipeline.LogReporter{Log: b.common.Log, Task: b.id, Counters: e.Counters,
			Messages: strings.EqualFold(config["errors.log.include.messages"], "true")})
	}
	return e, logging, nil
}

// list splits a LIST setting.
func list(v string) []string {
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return out
}

// withPrefix returns the settings under a prefix, without it.
func withPrefix(config map[string]string, prefix string) map[string]string {
	out := make(map[string]string)
	for k, v := range config {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	return out
}

// buildSteps makes the transform chain.
func buildSteps(reg *connectors.Registry, config map[string]string, names *PartNames, log *slog.Logger) ([]pipeline.Step, error) {
	predicates := make(map[string]connectors.Predicate)
	for _, alias := range list(config["predicates"]) {
		opts := withPrefix(config, "predicates."+alias+".")
		p, ok := reg.Find(opts["type"], connectors.PredicateKind)
		if !ok {
			return nil, connectors.ConfigError("Invalid value %s for configuration predicates.%s.type: Class %s could not be found.", opts["type"], alias, opts["type"])
		}
		pred, err := p.NewPredicate(opts)
		if err != nil {
			return nil, configurationError("predicates."+alias, err)
		}
		predicates[alias] = pred
		names.Predicates[alias] = PluginName{p.Class, p.Version}
	}
	var steps []pipeline.Step
	for _, alias := range list(config["transforms"]) {
		opts := withPrefix(config, "transforms."+alias+".")
		p, ok := reg.Find(opts["type"], connectors.TransformationKind)
		if !ok {
			return nil, connectors.ConfigError("Invalid value %s for configuration transforms.%s.type: Class %s could not be found.", opts["type"], alias, opts["type"])
		}
		step := pipeline.Step{Alias: alias, Class: p.Class, Negate: strings.EqualFold(strings.TrimSpace(opts["negate"]), "true")}
		if pred := strings.TrimSpace(opts["predicate"]); pred != "" {
			if step.Predicate, ok = predicates[pred]; !ok {
				return nil, connectors.ConfigError("transforms.%s.predicate names %s, which is not among the predicates of this connector", alias, pred)
			}
		}
		for _, key := range []string{"type", "predicate", "negate", "plugin.version"} {
			delete(opts, key)
		}
		t, err := p.NewTransformation(opts)
		if err != nil {
			return nil, configurationError("transforms."+alias, err)
		}
		if l, ok := t.(connectors.Logging); ok {
			l.SetLog(log.With("transform", alias))
		}
		step.Transform = t
		steps = append(steps, step)
		names.Transforms[alias] = PluginName{p.Class, p.Version}
	}
	return steps, nil
}

// converters makes the three converters: the connector's where it names a class,
// with its options alone, else the worker's with the worker's. They are bound to
// ctx, which ends with the task.
func (b *builder) converters(ctx context.Context, config map[string]string, errs *pipeline.Errors, names *PartNames) (*pipeline.Converters, error) {
	out := &pipeline.Converters{Errors: errs}
	from := func(key string) (string, map[string]string) {
		src := config
		if config[key] == "" {
			src = b.w.Props
		}
		opts := withPrefix(src, key+".")
		opts["converter.type"] = strings.TrimSuffix(key, ".converter")
		delete(opts, "plugin.version")
		return src[key], opts
	}
	side := func(key string, isKey bool, s *pipeline.Side, name *PluginName) error {
		class, opts := from(key)
		p, ok := b.w.Registry.Find(class, connectors.ConverterKind)
		if !ok {
			return connectors.ConfigError("Invalid value %s for configuration %s: Class %s could not be found.", class, key, class)
		}
		c, err := p.NewConverter(opts, isKey)
		if err != nil {
			return configurationError(key, err)
		}
		if bound, ok := c.(codec.Bound); ok {
			bound.Bind(ctx)
		}
		s.Class, s.Converter, *name = p.Class, c, PluginName{p.Class, p.Version}
		return nil
	}
	if err := side("key.converter", true, &out.Key, &names.Key); err != nil {
		return nil, err
	}
	if err := side("value.converter", false, &out.Value, &names.Value); err != nil {
		return nil, err
	}
	class, opts := from("header.converter")
	if class == "" {
		class = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
	}
	p, ok := b.w.Registry.Find(class, connectors.HeaderConverterKind)
	if !ok {
		return nil, connectors.ConfigError("Invalid value %s for configuration header.converter: Class %s could not be found.", class, class)
	}
	h, err := p.NewHeaderConverter(opts)
	if err != nil {
		return nil, configurationError("header.converter", err)
	}
	out.HeaderClass, out.Header, names.Header = p.Class, h, PluginName{p.Class, p.Version}
	return out, nil
}

// turn waits until this task may build: all of a node's tasks start together after
// it has regained its good standing, and their clients' first requests are many. Call
// the result when the building is over; one that takes long no longer counts, so that
// what is unreachable for one connector keeps no other waiting.
func (b *builder) turn(ctx context.Context) (func(), error) {
	select {
	case b.w.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var once sync.Once
	over := func() { once.Do(func() { <-b.w.turns }) }
	late := time.AfterFunc(longTurn, over)
	return func() { late.Stop(); over() }, nil
}

// longTurn is well beyond what building takes when all that it needs is there.
const longTurn = time.Second

// source makes the parts of a source task.
func (b *builder) source(ctx context.Context) (*task.SourceParts, error) {
	over, err := b.turn(ctx)
	if err != nil {
		return nil, b.failed(err)
	}
	defer over()
	p, err := b.shared(ctx)
	if err != nil {
		return nil, b.failed(err)
	}
	topics, err := newTopicCreator(b.w, b.id, p.config, b.common.Log)
	if err != nil {
		return nil, b.failed(err)
	}
	client, line, err := b.producer(ctx, p.config, "connector-producer-"+b.id.String())
	if err != nil {
		return nil, b.failed(err)
	}
	out := &task.SourceParts{Task: b.plugin.NewSourceTask(), TaskClass: b.info.TaskClass, Config: p.taskConfig, Chain: p.chain,
		Converters: p.converters, Errors: p.errors, Client: client, Line: line, Originals: p.logging}
	if topics != nil {
		out.Topics = topics
	}
	return out, nil
}

func (b *builder) failed(err error) error {
	b.w.Totals.TaskStartFailures.Add(1)
	return err
}

func (b *builder) producer(ctx context.Context, config map[string]string, clientID string) (*kgo.Client, *kafkaclient.Line, error) {
	props := kafkaclient.ProducerProps(b.w.Props, config, clientID)
	res, err := kafkaclient.Options(kafkaclient.Producer, props, kafkaclient.Env{Logger: b.common.Log, ClientID: clientID})
	if err != nil {
		return nil, nil, configurationError("configuring the producer", err)
	}
	res.Report.Log(context.Background(), b.common.Log)
	line := &kafkaclient.Line{}
	client, err := kgo.NewClient(append(res.Opts, kgo.UnknownTopicRetries(-1), line.Opt())...)
	if err != nil {
		return nil, nil, configurationError("making the producer", err)
	}
	if err := logIn(ctx, client, props, "producer"); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, line, nil
}

// sink makes the parts of a sink task.
func (b *builder) sink(ctx context.Context) (*task.SinkParts, error) {
	over, err := b.turn(ctx)
	if err != nil {
		return nil, b.failed(err)
	}
	defer over()
	p, err := b.shared(ctx)
	if err != nil {
		return nil, b.failed(err)
	}
	clientID := "connector-consumer-" + b.id.String()
	props := kafkaclient.ConsumerProps(b.w.Props, p.config, b.id.Connector, clientID)
	consumerDefaults(props, p.config)
	// A successor takes over at once through the static id.
	if b.w.StaticMembers && props["group.instance.id"] == "" && !serverSide(props) {
		props["group.instance.id"] = b.w.Group + "-" + b.id.String()
	}
	res, err := kafkaclient.Options(kafkaclient.Consumer, props, kafkaclient.Env{Logger: b.common.Log, ClientID: clientID})
	if err != nil {
		return nil, b.failed(configurationError("configuring the consumer", err))
	}
	res.Report.Log(ctx, b.common.Log)
	what, watch, err := subscription(p.config, res.Settings.ExcludeInternalTopics, b.common.Log)
	if err != nil {
		return nil, b.failed(err)
	}
	out := &task.SinkParts{Task: b.plugin.NewSinkTask(), TaskClass: b.info.TaskClass, Config: p.taskConfig, Chain: p.chain, Converters: p.converters,
		Errors: p.errors, Watch: watch, MaxPoll: res.Settings.MaxPollRecords, Group: res.Settings.GroupID, Instance: res.Settings.GroupInstanceID}
	out.NewClient = func(extra ...kgo.Opt) (*kgo.Client, error) {
		client, err := kgo.NewClient(slices.Concat(res.Opts, what, extra)...)
		if err != nil {
			return nil, configurationError("making the consumer", err)
		}
		if err := logIn(ctx, client, props, "consumer"); err != nil {
			client.Close()
			return nil, err
		}
		return client, nil
	}
	if topic := strings.TrimSpace(p.config["errors.deadletterqueue.topic.name"]); topic != "" {
		if out.DLQ, err = b.deadLetters(ctx, p, topic); err != nil {
			return nil, b.failed(err)
		}
		p.errors.Reporters = append([]pipeline.Reporter{out.DLQ}, p.errors.Reporters...)
	}
	if out.DLQ != nil || p.logging {
		names := &PartNames{Transforms: map[string]PluginName{}, Predicates: map[string]PluginName{}}
		if out.Errant, err = b.converters(ctx, p.config, p.errors, names); err != nil {
			if out.DLQ != nil {
				out.DLQ.Close()
			}
			return nil, b.failed(err)
		}
	}
	return out, nil
}

func missingPlugin(class string, reg *connectors.Registry) error {
	if strings.TrimSpace(class) == "" {
		return &connectors.Error{JavaClass: connectors.ConnectException, Class: connectors.Configuration, Msg: "The connector's configuration has no connector.class"}
	}
	var have []string
	for _, p := range reg.All() {
		if p.Kind == connectors.SinkKind || p.Kind == connectors.SourceKind {
			have = append(have, p.Class)
		}
	}
	return &connectors.Error{JavaClass: connectors.ConnectException, Class: connectors.Configuration,
		Msg: fmt.Sprintf("Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", class, strings.Join(have, ", "))}
}

func (b *builder) deadLetters(ctx context.Context, p *parts, topic string) (*task.DLQ, error) {
	rf := int16(3)
	if v := strings.TrimSpace(p.config["errors.deadletterqueue.topic.replication.factor"]); v != "" {
		n, err := strconv.ParseInt(v, 10, 16)
		if err != nil {
			return nil, connectors.ConfigError("Invalid value %s for configuration errors.deadletterqueue.topic.replication.factor: Not a number of type SHORT", v)
		}
		rf = int16(n)
	}
	if err := b.w.createTopic(ctx, p.config, "connector-dlq-adminclient-", topic, 1, rf, nil); err != nil {
		return nil, connectors.Errorf("Could not initialize dead letter queue with topic=%s: %w", topic, err)
	}
	client, line, err := b.producer(ctx, p.config, "connector-dlq-producer-"+b.id.String())
	if err != nil {
		return nil, err
	}
	return &task.DLQ{Client: client, Line: line, Topic: topic, Context: strings.EqualFold(p.config["errors.deadletterqueue.context.headers.enable"], "true"),
		Task: b.id, Log: b.common.Log, Counters: &b.info.Metrics.Counters}, nil
}
