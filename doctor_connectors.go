package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/connectconfig"
)

// unreadable collects what the stores log of records that they could not read.
type unreadable struct {
	slog.Handler
	mu   *sync.Mutex
	list *[]string
}

func (u unreadable) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (u unreadable) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(", %s %v", a.Key, a.Value)
		return true
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	*u.list = append(*u.list, text)
	return nil
}

// examineConnectors reads the config and the offset topic and judges each connector.
func (d *doctor) examineConnectors(ctx context.Context, names [2]string) error {
	var odd []string
	log := slog.New(unreadable{slog.DiscardHandler, &sync.Mutex{}, &odd})
	held, err := store.Look(ctx, store.Options{Client: d.client, Log: log}, names[0], names[1])
	if err != nil {
		return fmt.Errorf("reading the internal topics: %w", err)
	}
	for _, text := range odd {
		d.report.Topics = append(d.report.Topics, finding{levelNote, "a record that is ignored, as Kafka Connect ignores it", text, ""})
	}
	v := d.settings.Values
	plugins := &cluster.Plugins{Registry: d.registry, Resolver: d.resolver, Props: d.settings.Props, Policy: d.settings.Policy, GroupID: d.report.Group,
		Worker: connectconfig.Worker{KeyConverter: v.String("key.converter"), ValueConverter: v.String("value.converter"), HeaderConverter: v.String("header.converter")}}
	for _, name := range held.Configs.Connectors() {
		c := connectorReport{Name: name, Kind: "unknown", Tasks: held.Configs.TaskCount(name)}
		target, ok := held.Configs.TargetState(name)
		if !ok {
			target = connectors.Started
		}
		c.Target = target.String()
		d.examineConnector(ctx, &c, plugins, held)
		d.report.Connectors = append(d.report.Connectors, c)
	}
	for _, name := range slices.Sorted(maps.Keys(held.Offsets)) {
		if !held.Configs.Contains(name) {
			d.report.Topics = append(d.report.Topics, finding{levelNote, "offsets of " + name, fmt.Sprintf("%d partitions of a connector that is not configured; they are left as they are", len(held.Offsets[name])), ""})
		}
	}
	return nil
}

func (d *doctor) examineConnector(ctx context.Context, c *connectorReport, plugins *cluster.Plugins, held *store.Contents) {
	raw := held.Configs.Config(c.Name)
	config, _, err := d.resolver.Resolve(ctx, raw)
	if err != nil {
		c.add(levelProblem, "config provider", err.Error(), "give the worker what the provider needs")
		config = raw
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if err == nil && configprovider.HasReference(raw[key]) && config[key] == raw[key] {
			c.add(levelProblem, key, "the reference in it is not resolved: "+raw[key], "add the provider to config.providers, or the key to what it reads")
		}
	}
	c.Class = config["connector.class"]
	plugin, known := d.registry.Connector(c.Class)
	if known {
		c.Kind, c.Class = string(plugin.Kind), plugin.Class
	} else if config["topics"] != "" || config["topics.regex"] != "" {
		c.Kind = string(connectors.SinkKind)
	}
	d.examinePlugins(c, config, known)
	if known {
		d.examineClients(c, plugin.Kind, config)
		d.validate(ctx, c, plugins, raw, config)
	}
	if held.Configs.Inconsistent(c.Name) {
		c.add(levelNote, "tasks", "their configurations are incomplete, as after a crash or compaction; they are made anew", "")
	}
	d.examineOffsets(ctx, c, config, held)
}

// examinePlugins lists the plugins that the configuration names.
func (d *doctor) examinePlugins(c *connectorReport, config map[string]string, known bool) {
	c.Plugins = []pluginUse{{"connector.class", c.Class, known}}
	if !known {
		c.add(levelProblem, "connector.class", fmt.Sprintf("Troupe has no connector %q", c.Class),
			"leave it: it shows as FAILED with this reason, and its configuration and offsets stay as they are. It runs where Troupe is built with the plugin (docs/writing-a-connector.md) or in a Kafka Connect cluster with another group.id")
	}
	use := func(setting, what string, kinds ...connectors.Kind) {
		class := strings.TrimSpace(config[setting])
		if class == "" {
			return
		}
		_, ok := d.registry.Find(class, kinds...)
		c.Plugins = append(c.Plugins, pluginUse{setting, class, ok})
		if !ok {
			c.add(levelProblem, setting, fmt.Sprintf("Troupe has no %s %q", what, class), "replace it, or build Troupe with it")
		}
	}
	use("key.converter", "converter", connectors.ConverterKind)
	use("value.converter", "converter", connectors.ConverterKind)
	use("header.converter", "header converter", connectors.HeaderConverterKind)
	for _, part := range []struct {
		list, what string
		kind       connectors.Kind
	}{{"transforms", "transformation", connectors.TransformationKind}, {"predicates", "predicate", connectors.PredicateKind}} {
		for alias := range strings.SplitSeq(config[part.list], ",") {
			if alias = strings.TrimSpace(alias); alias != "" {
				use(part.list+"."+alias+".type", part.what, part.kind)
			}
		}
	}
}

// validate checks the configuration as REST does when it is sent.
func (d *doctor) validate(ctx context.Context, c *connectorReport, plugins *cluster.Plugins, raw, config map[string]string) {
	do := "correct it: PUT /connectors/" + url.PathEscape(c.Name) + "/config"
	answer, err := plugins.Validate(ctx, raw["connector.class"], configdef.Nullable(raw), nil)
	if err != nil {
		c.add(levelProblem, "configuration", hidden(err.Error(), raw, config), do)
		return
	}
	infos, ok := answer.(configdef.Infos)
	if !ok {
		c.add(levelNotChecked, "configuration", "it could not be validated", "")
		return
	}
	missing := make(map[string]bool) // plugins that are named already
	for _, p := range c.Plugins {
		missing[p.Setting] = !p.Known
	}
	for _, info := range infos.Configs {
		if info.Value == nil || missing[info.Value.Name] {
			continue
		}
		for _, e := range info.Value.Errors {
			c.add(levelProblem, info.Value.Name, hidden(e, raw, config), do)
		}
	}
}

// hidden puts the references back in the place of what they stand for: a report
// shows no secret.
func hidden(text string, raw, config map[string]string) string {
	for k, v := range config {
		if v != raw[k] && v != "" {
			text = strings.ReplaceAll(text, v, raw[k])
		}
	}
	return text
}

// examineClients checks the overrides, by the policy and against what the clients
// can do.
func (d *doctor) examineClients(c *connectorReport, kind connectors.Kind, config map[string]string) {
	used := map[kafkaclient.Kind]map[string]string{}
	if kind == connectors.SourceKind {
		used[kafkaclient.Producer] = kafkaclient.ProducerProps(d.props, config, "doctor")
	} else {
		used[kafkaclient.Consumer] = kafkaclient.ConsumerProps(d.props, config, c.Name, "doctor")
		if config["errors.deadletterqueue.topic.name"] != "" {
			used[kafkaclient.Producer] = kafkaclient.ProducerProps(d.props, config, "doctor")
		}
	}
	for _, k := range []kafkaclient.Kind{kafkaclient.Producer, kafkaclient.Consumer, kafkaclient.Admin} {
		prefix := kafkaclient.OverridePrefix(k)
		for _, v := range d.settings.Policy.Check(kafkaclient.Overrides(k, config)) {
			c.add(levelProblem, prefix+v.Name, v.Message, "remove it, or set connector.client.config.override.policy in the worker's properties")
		}
		if props := used[k]; props != nil {
			if err := kafkaclient.Validate(k, props); err != nil {
				for line := range strings.Lines(err.Error()) {
					c.add(levelProblem, strings.TrimSuffix(prefix, ".override.")+" client", strings.TrimSpace(line), "change the property in the connector or the worker")
				}
			}
		}
	}
}

// examineOffsets counts what is stored of where the connector was.
func (d *doctor) examineOffsets(ctx context.Context, c *connectorReport, config map[string]string, held *store.Contents) {
	if c.Kind != string(connectors.SinkKind) {
		n := len(held.Offsets[c.Name])
		c.Offsets = &n
		if n == 0 && c.Kind == string(connectors.SourceKind) {
			c.add(levelNote, "offsets", "none are stored; it begins where a new connector begins", "")
		}
		return
	}
	group := kafkaclient.ConsumerProps(d.props, config, c.Name, "doctor")["group.id"]
	adm := d.adm
	if props := kafkaclient.AdminProps(d.props, config, "doctor"); !maps.Equal(props, kafkaclient.AdminProps(d.props, nil, "doctor")) || hasPrefix(d.props, "admin.") {
		res, err := kafkaclient.Options(kafkaclient.Admin, props, kafkaclient.Env{Logger: d.log})
		if err == nil {
			var cl *kgo.Client
			if cl, err = kgo.NewClient(append(res.Opts, kgo.DisableClientMetrics())...); err == nil {
				defer cl.Close()
				adm = kadm.NewClient(cl)
			}
		}
		if err != nil {
			c.add(levelProblem, "admin client", err.Error(), "change the property in the connector or the worker")
			return
		}
	}
	got, err := store.ListGroupOffsets(ctx, adm, group)
	switch {
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		c.add(levelProblem, "consumer group "+group, "this principal may not use it", acl("--operation Read --group "+group))
		return
	case err != nil:
		c.add(levelNotChecked, "consumer group "+group, err.Error(), "")
		return
	}
	n := len(got)
	c.Offsets = &n
	if n == 0 {
		c.add(levelNote, "offsets", "group "+group+" has committed none; it begins where consumer.auto.offset.reset says, by default at the start of its topics", "")
	}
	if groups, err := adm.DescribeGroups(ctx, group); err == nil && len(groups[group].Members) > 0 {
		c.add(levelFirst, "consumer group "+group, fmt.Sprintf("it has %d members", len(groups[group].Members)), "they must have ended before Troupe starts, or they share the partitions")
	}
}

func hasPrefix(props map[string]string, prefix string) bool {
	for k := range props {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}
