package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/codec/javaregex"
	"github.com/troupeio/troupe/connectors"
)

// topicGroup is one group of topic.creation rules (KIP-158).
type topicGroup struct {
	include, exclude *javaregex.Pattern // nil: everything; nothing
	replicas         int16
	partitions       int32
	configs          map[string]*string
}

func (g *topicGroup) matches(topic string) bool {
	return (g.include == nil || g.include.MatchString(topic)) && (g.exclude == nil || !g.exclude.MatchString(topic))
}

// checkTopicCreation is what a connector's start checks of its rules.
func checkTopicCreation(enabled bool, config map[string]string) error {
	_, err := parseTopicGroups(enabled, config)
	return err
}

// parseTopicGroups returns the groups in order, the default last; none when the
// connector has no topic.creation setting or the worker forbids them.
func parseTopicGroups(enabled bool, config map[string]string) ([]topicGroup, error) {
	any := false
	for k := range config {
		any = any || strings.HasPrefix(k, "topic.creation.")
	}
	if !enabled || !any {
		return nil, nil
	}
	def, err := parseTopicGroup(config, "default", nil)
	if err != nil {
		return nil, err
	}
	var groups []topicGroup
	for _, name := range list(config["topic.creation.groups"]) {
		if name == "default" {
			continue
		}
		g, err := parseTopicGroup(config, name, def)
		if err != nil {
			return nil, err
		}
		groups = append(groups, *g)
	}
	return append(groups, *def), nil
}

func parseTopicGroup(config map[string]string, name string, def *topicGroup) (*topicGroup, error) {
	prefix := "topic.creation." + name + "."
	g := &topicGroup{configs: make(map[string]*string)}
	if def != nil {
		g.replicas, g.partitions = def.replicas, def.partitions
	}
	number := func(key, what string, bits int) (int64, bool, error) {
		v, ok := config[prefix+key]
		if v = strings.TrimSpace(v); !ok {
			if def == nil {
				return 0, false, connectors.ConfigError("Missing required configuration %q which has no default value.", prefix+key)
			}
			return 0, false, nil
		}
		n, err := strconv.ParseInt(v, 10, bits)
		if err != nil {
			return 0, false, connectors.ConfigError("Invalid value %s for configuration %s: Not a number of type %s", v, prefix+key, map[int]string{16: "SHORT", 32: "INT"}[bits])
		}
		if n != -1 && n < 1 {
			return 0, false, connectors.ConfigError("Invalid value %s for configuration %s: %s", v, prefix+key, what)
		}
		return n, true, nil
	}
	n, ok, err := number("replication.factor", "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default", 16)
	if err != nil {
		return nil, err
	}
	if ok {
		g.replicas = int16(n)
	}
	if n, ok, err = number("partitions", "Number of partitions must be positive, or -1 to use the broker's default", 32); err != nil {
		return nil, err
	}
	if ok {
		g.partitions = int32(n)
	}
	for key, dst := range map[string]**javaregex.Pattern{"include": &g.include, "exclude": &g.exclude} {
		patterns := list(config[prefix+key])
		if len(patterns) == 0 || name == "default" {
			continue
		}
		re, err := javaregex.Compile(strings.Join(patterns, "|"))
		if err != nil {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s: Syntax error in regular expression: %v", config[prefix+key], prefix+key, err)
		}
		*dst = re
	}
	if name != "default" && g.include == nil {
		return nil, connectors.ConfigError("Missing required configuration %q which has no default value.", prefix+"include")
	}
	for k, v := range config {
		key, ok := strings.CutPrefix(k, prefix)
		if ok && !slices.Contains([]string{"include", "exclude", "replication.factor", "partitions"}, key) {
			g.configs[key] = &v
		}
	}
	return g, nil
}

// topicCreator creates the topics of one source task, by the connector's rules.
type topicCreator struct {
	w      *Worker
	id     connectors.TaskID
	config map[string]string
	groups []topicGroup
	log    *slog.Logger
}

func newTopicCreator(w *Worker, id connectors.TaskID, config map[string]string, log *slog.Logger) (*topicCreator, error) {
	groups, err := parseTopicGroups(w.TopicCreation, config)
	if err != nil || groups == nil {
		return nil, err
	}
	return &topicCreator{w: w, id: id, config: config, groups: groups, log: log}, nil
}

// Ensure implements task.TopicEnsurer.
func (t *topicCreator) Ensure(ctx context.Context, topic string) error {
	i := slices.IndexFunc(t.groups, func(g topicGroup) bool { return g.matches(topic) })
	g := t.groups[i]
	err := t.w.createTopic(ctx, t.config, "connector-adminclient-"+t.id.String(), topic, g.partitions, g.replicas, g.configs)
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.UnsupportedVersion):
		t.log.Warn("the broker does not let this client create topics; leaving it to the broker's own topic creation", "topic", topic, "err", err)
		return nil
	case err != nil:
		class := connectors.Configuration
		if kerr.IsRetriable(err) || errors.Is(err, context.DeadlineExceeded) {
			class = connectors.Transient
		}
		return &connectors.Error{JavaClass: connectors.ConnectException, Class: class, Cause: err,
			Msg: fmt.Sprintf("Task failed to create new topic (name=%s, numPartitions=%d, replicationFactor=%d, replicasAssignments=null, configs={}). Ensure that the task is authorized to create topics or that the topic exists and restart the task", topic, g.partitions, g.replicas)}
	}
	return nil
}

// createTimeout bounds the making of one topic.
const createTimeout = 60 * time.Second

// createTopic creates a topic unless it exists, with an admin client of the
// connector's settings.
func (w *Worker) createTopic(ctx context.Context, config map[string]string, clientID, topic string, partitions int32, replicas int16, configs map[string]*string) error {
	res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.AdminProps(w.Props, config, clientID), kafkaclient.Env{Logger: w.Log, ClientID: clientID})
	if err != nil {
		return configurationError("configuring the admin client", err)
	}
	cl, err := kgo.NewClient(res.Opts...)
	if err != nil {
		return configurationError("making the admin client", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	adm := kadm.NewClient(cl)
	have, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return connectors.Retriable(fmt.Errorf("describing topic %s: %w", topic, err))
	}
	if d, ok := have[topic]; ok && d.Err == nil {
		return nil
	}
	resp, err := adm.CreateTopics(ctx, partitions, replicas, configs, topic)
	if err != nil {
		return connectors.Retriable(fmt.Errorf("creating topic %s: %w", topic, err))
	}
	if e := resp[topic].Err; e != nil && !errors.Is(e, kerr.TopicAlreadyExists) {
		if msg := resp[topic].ErrMessage; msg != "" {
			return fmt.Errorf("creating topic %s: %w (%s)", topic, e, msg)
		}
		return fmt.Errorf("creating topic %s: %w", topic, e)
	}
	return nil
}
