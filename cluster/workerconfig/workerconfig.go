// Package workerconfig reads a worker's properties: Kafka Connect's settings, and
// ours in a group of their own. It imports configdef, the client's properties and
// connectors.
package workerconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/codec/configdef"
)

// Mode is how a worker runs.
type Mode uint8

// The modes of a worker.
const (
	Distributed Mode = iota
	Standalone
)

// troupeKeys are our own settings.
var troupeKeys = []configdef.Key{
	{Name: "task.restart.policy", Type: configdef.String, Default: "restart", Importance: configdef.Medium, Group: "Troupe", Order: 1,
		Doc: "restart: a task or connector that crashed is started again after a back-off, one whose outside world is away for as long as it takes. never: it stays FAILED, as in Kafka Connect.", Validator: configdef.OneOf("restart", "never")},
	{Name: "task.restart.max", Type: configdef.Int, Default: "5", Importance: configdef.Low, Group: "Troupe", Order: 2,
		Doc: "Crashes within task.restart.window.ms after which a task is FAILED instead of started again.", Validator: configdef.AtLeast(0)},
	{Name: "task.restart.window.ms", Type: configdef.Long, Default: "600000", Importance: configdef.Low, Group: "Troupe", Order: 3,
		Doc: "The time in which crashes are counted.", Validator: configdef.AtLeast(1)},
	{Name: "plugin.call.timeout.ms", Type: configdef.Long, Default: "300000", Importance: configdef.Low, Group: "Troupe", Order: 4,
		Doc: "How long a plugin's start, taskConfigs, open, close, flush and preCommit may take before the call is left behind and the task counted as crashed.", Validator: configdef.AtLeast(1)},
	{Name: "task.buffer.bytes", Type: configdef.Long, Default: "16777216", Importance: configdef.Medium, Group: "Troupe", Order: 5,
		Doc: "Memory that the records of one task may hold between its two ends; polling and consuming wait while it is used up.", Validator: configdef.AtLeast(65536)},
	{Name: "rest.basic.auth.credentials.file", Type: configdef.String, Default: nil, Importance: configdef.Medium, Group: "Troupe", Order: 6,
		Doc: "User names and passwords for the basic authentication extension, a line user=password each. Without it the file is taken from the JAAS configuration that KAFKA_OPTS names with -Djava.security.auth.login.config."},
	{Name: "rest.metrics.enable", Type: configdef.Boolean, Default: "true", Importance: configdef.Low, Group: "Troupe", Order: 7,
		Doc: "Serve /metrics in Prometheus format on the REST listeners."},
}

// Def returns the settings of a mode, ours last.
func Def(m Mode) *configdef.Def {
	d := configdef.New()
	lists := [][]configdef.Key{commonKeys, tlsKeys}
	if m == Distributed {
		lists = append(lists, distributedKeys, saslKeys, clusterKeys)
	} else {
		lists = append(lists, standaloneKeys)
	}
	for _, list := range append(lists, troupeKeys) {
		for _, k := range list {
			d.Define(k)
		}
	}
	return d
}

// withoutEffect are known settings that change nothing here, with the reason.
var withoutEffect = map[string]string{
	"scheduled.rebalance.max.delay.ms": "a lost worker's work moves at once",
	"rebalance.timeout.ms":             "a rebalance stops nobody's tasks",
	"connect.protocol":                 "there is one protocol",
	"worker.sync.timeout.ms":           "a worker that lags catches up without leaving the group",
	"worker.unsync.backoff.ms":         "a worker that lags catches up without leaving the group",
	"plugin.path":                      "plugins are part of the program",
	"plugin.discovery":                 "plugins are part of the program",
	"metric.reporters":                 "metrics are at /metrics",
	"metrics.num.samples":              "totals and sums are exported; the backend makes the windows",
	"metrics.sample.window.ms":         "totals and sums are exported; the backend makes the windows",
	"metrics.recording.level":          "all metrics are recorded",
	"send.buffer.bytes":                "the system sizes the buffers",
	"receive.buffer.bytes":             "the system sizes the buffers",
}

// prefixes are those of settings that are passed on to somebody else.
var prefixes = []string{"producer.", "consumer.", "admin.", "key.converter.", "value.converter.", "header.converter.", "config.providers.",
	"config.storage.", "assignment.storage.", "offset.storage.", "status.storage.", "metrics.context.", "listeners.https.", "admin.listeners.https."}

// Settings are a worker's properties, checked.
type Settings struct {
	Mode   Mode
	Props  map[string]string // all of them, resolved
	Values *configdef.Values
	Policy kafkaclient.Policy

	FlushInterval, FlushTimeout, Grace, CallTimeout time.Duration
	TopicCreation, TopicTracking, TopicReset        bool

	// Notes are what the user should be told once: settings without effect or not
	// known.
	Notes []string
}

// Parse checks the properties and reports everything that is wrong at once.
func Parse(m Mode, props map[string]string) (*Settings, error) {
	d := Def(m)
	s := &Settings{Mode: m, Props: props}
	var errs []error
	for _, v := range d.Validate(configdef.Nullable(props)) {
		for _, e := range v.Errors {
			errs = append(errs, errors.New(e))
		}
	}
	if !slices.Contains([]string{"", "disabled"}, strings.ToLower(props["exactly.once.source.support"])) {
		errs = append(errs, notBuilt("exactly.once.source.support", props["exactly.once.source.support"], "exactly-once sources"))
	}
	policy, err := kafkaclient.PolicyFor(orElse(props["connector.client.config.override.policy"], "All"))
	if err != nil {
		errs = append(errs, err)
	}
	s.Policy = policy
	for _, name := range []string{"config.storage.topic", "offset.storage.topic", "status.storage.topic", "group.id", "offset.storage.file.filename"} {
		if v, ok := props[name]; ok && strings.TrimSpace(v) == "" && d.Key(name) != nil {
			errs = append(errs, fmt.Errorf("Invalid value %s for configuration %s: String may not be empty", v, name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	v, err := d.Parse(props)
	if err != nil {
		return nil, err
	}
	s.Values = v
	s.FlushInterval, s.FlushTimeout = max(s.Millis("offset.flush.interval.ms"), time.Millisecond), s.Millis("offset.flush.timeout.ms")
	s.Grace, s.CallTimeout = s.Millis("task.shutdown.graceful.timeout.ms"), s.Millis("plugin.call.timeout.ms")
	s.TopicCreation, s.TopicTracking, s.TopicReset = v.Bool("topic.creation.enable"), v.Bool("topic.tracking.enable"), v.Bool("topic.tracking.allow.reset")
	s.Notes = notes(d, props)
	return s, nil
}

// Millis returns a setting that is a number of milliseconds.
func (s *Settings) Millis(name string) time.Duration {
	return time.Duration(s.Values.Long(name)) * time.Millisecond
}

func orElse(v, other string) string {
	if strings.TrimSpace(v) == "" {
		return other
	}
	return v
}

func notBuilt(name, value, what string) error {
	return fmt.Errorf("Invalid value %s for configuration %s: %s are not built yet; leave the setting out", value, name, what)
}

func notes(d *configdef.Def, props map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if why, ok := withoutEffect[name]; ok {
			out = append(out, fmt.Sprintf("%s has no effect: %s", name, why))
			continue
		}
		if strings.HasPrefix(name, "internal.key.converter") || strings.HasPrefix(name, "internal.value.converter") {
			out = append(out, name+" is ignored: it was removed in Kafka 3.0")
			continue
		}
		if d.Key(name) != nil || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		for _, kind := range []kafkaclient.Kind{kafkaclient.Admin, kafkaclient.Producer, kafkaclient.Consumer} {
			if _, ok := kafkaclient.Lookup(kind, name); ok {
				name = ""
				break
			}
		}
		if name != "" {
			out = append(out, name+" is not known and is ignored")
		}
	}
	return out
}
