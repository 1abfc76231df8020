package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/restapi"
)

// blamed finds the setting in a message of a check.
var blamed = regexp.MustCompile(`for configuration ([^\s:]+)`)

// examineSettings reads the worker's properties as a start does. What would stop the
// start is put aside, so that the rest can be examined; an error says that this does
// not help.
func (d *doctor) examineSettings(ctx context.Context, given map[string]string) error {
	props := maps.Clone(given)
	problem := func(about, text string) {
		d.report.Settings = append(d.report.Settings, finding{levelProblem, about, text, "change or remove it: the start stops here"})
	}
	resolved, err := d.resolve(ctx, props)
	if err != nil {
		problem("config.providers", err.Error())
		maps.DeleteFunc(props, func(k, _ string) bool { return strings.HasPrefix(k, "config.providers") })
		if resolved, err = d.resolve(ctx, props); err != nil {
			return err
		}
	}
	d.props = resolved
	settings, err := workerconfig.Parse(workerconfig.Distributed, resolved)
	if err != nil {
		aside := maps.Clone(resolved)
		for line := range strings.Lines(err.Error()) {
			line = strings.TrimSpace(line)
			about := "worker.properties"
			if m := blamed.FindStringSubmatch(line); m != nil {
				about = m[1]
				delete(aside, about)
			}
			problem(about, line)
		}
		if settings, err = workerconfig.Parse(workerconfig.Distributed, aside); err != nil {
			return errors.New("the worker's properties are not valid, and nothing else can be examined with them")
		}
		d.props = aside
	}
	d.settings = settings
	for _, n := range settings.Notes {
		about, text, _ := strings.Cut(n, " ")
		d.report.Settings = append(d.report.Settings, finding{levelNote, about, text, ""})
	}
	if err := checkConverters(d.registry, d.props); err != nil {
		for line := range strings.Lines(err.Error()) {
			problem("converter", strings.TrimSpace(line))
		}
	}
	d.examineREST(problem)
	if len(d.report.Settings) == 0 {
		d.report.Settings = append(d.report.Settings, finding{levelOK, "worker.properties", "every setting is known and has its effect", ""})
	}
	return nil
}

// resolve replaces the references in the worker's own properties and makes the
// resolver of the connectors'.
func (d *doctor) resolve(ctx context.Context, props map[string]string) (map[string]string, error) {
	first, err := configprovider.New(props, configprovider.WithLogger(d.log))
	if err != nil {
		return nil, err
	}
	resolved, _, err := first.Resolve(ctx, props)
	if err != nil {
		return nil, fmt.Errorf("resolving the worker's properties: %w", err)
	}
	if d.resolver, err = configprovider.New(resolved, configprovider.WithLogger(d.log)); err != nil {
		return nil, err
	}
	return resolved, nil
}

// examineREST checks what the REST interface is started with; it opens no port.
func (d *doctor) examineREST(problem func(about, text string)) {
	v := d.settings.Values
	for _, key := range []string{"listeners", "admin.listeners"} {
		if strings.TrimSpace(d.props[key]) == "" {
			continue
		}
		for _, l := range v.List(key) {
			if _, err := restapi.ParseListener(l); err != nil {
				problem(key, fmt.Sprintf("Invalid value %s for configuration %s: %v", l, key, err))
			}
		}
	}
	if _, err := restapi.ParseHeaderRules(v.String("response.http.headers.config")); err != nil {
		problem("response.http.headers.config", err.Error())
	}
	for _, class := range v.List("rest.extension.classes") {
		if class != restapi.BasicAuthExtension {
			problem("rest.extension.classes", fmt.Sprintf("only %s is built in, not %s", restapi.BasicAuthExtension, class))
		} else if _, err := basicAuth(d.props, os.Getenv("KAFKA_OPTS")); err != nil {
			problem("rest.extension.classes", err.Error())
		}
	}
}

// internalTopics are the topics of the worker by their setting; the last is ours.
func (d *doctor) internalTopics() []store.Topic {
	v := d.settings.Values
	return []store.Topic{
		store.ConfigTopic(v.String("config.storage.topic"), -1, nil),
		store.OffsetTopic(v.String("offset.storage.topic"), -1, -1, nil),
		store.StatusTopic(v.String("status.storage.topic"), -1, -1, nil),
		store.AssignmentTopic(cmp.Or(d.props["assignment.storage.topic"], d.report.Group+"-assignments"), -1, nil),
	}
}

// examineCluster looks at the group and the internal topics, and returns the names of
// the config and the offset topic, empty if they are not there.
func (d *doctor) examineCluster(ctx context.Context) (names [2]string, err error) {
	first, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	topics := d.internalTopics()
	ask := []string{"__consumer_offsets", "__transaction_state"}
	for _, t := range topics {
		ask = append(ask, t.Name)
	}
	found, err := d.topics(first, ask)
	if err != nil {
		return names, err
	}
	for i, t := range topics {
		if d.examineTopic(ctx, t, found[t.Name]) && i < len(names) {
			names[i] = t.Name
		}
	}
	// To look for a coordinator creates the topic that it keeps its state in, where
	// there is none yet.
	if found["__consumer_offsets"].err == nil || names[0] != "" {
		d.examineGroup(ctx)
	} else {
		d.report.Members = append(d.report.Members, finding{levelOK, "group " + d.report.Group, "nobody is in it: no group has ever been on this Kafka cluster", ""})
	}
	d.examineTransactions(ctx, found["__transaction_state"].err)
	return names, nil
}

// topicSeen is what a broker says of a topic.
type topicSeen struct {
	err                  error
	partitions, replicas int
	operations           []kadm.ACLOperation // nil: not told
}

// topics describes topics without creating any, and with what is allowed on each.
func (d *doctor) topics(ctx context.Context, names []string) (map[string]topicSeen, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation, req.IncludeTopicAuthorizedOperations = false, true
	out := make(map[string]topicSeen, len(names))
	for _, name := range names {
		out[name] = topicSeen{err: kerr.UnknownTopicOrPartition}
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, d.kafka)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		seen := topicSeen{err: kerr.ErrorForCode(t.ErrorCode), partitions: len(t.Partitions), operations: kadm.DecodeACLOperations(t.AuthorizedOperations)}
		if len(t.Partitions) > 0 {
			seen.replicas = len(t.Partitions[0].Replicas)
		}
		out[*t.Topic] = seen
	}
	return out, nil
}

// policy asks for a topic's cleanup policy; "" if it may not be known.
func (d *doctor) policy(ctx context.Context, topic string) string {
	configs, err := d.adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return ""
	}
	rc, err := configs.On(topic, nil)
	if err != nil || rc.Err != nil {
		return ""
	}
	for _, c := range rc.Configs {
		if c.Key == "cleanup.policy" {
			return c.MaybeValue()
		}
	}
	return ""
}

// examineTopic reports on one internal topic and on what the worker may do with it.
// It returns false when the topic is not there or cannot be read.
func (d *doctor) examineTopic(ctx context.Context, t store.Topic, seen topicSeen) bool {
	about := t.Setting + " " + t.Name
	add := func(l level, text, do string) {
		d.report.Topics = append(d.report.Topics, finding{l, about, text, do})
	}
	switch {
	case errors.Is(seen.err, kerr.UnknownTopicOrPartition):
		if t.Setting == "assignment.storage.topic" {
			add(levelNote, "it does not exist, since only Troupe has one; Troupe creates it", "")
		} else {
			add(levelNote, "it does not exist; Troupe creates it, empty", "if Kafka Connect has run here, the name is not the one that it used")
		}
		d.access(levelNotChecked, "topic "+t.Name, "whether it may be created can only be seen by creating it", acl("--operation Create --operation Read --operation Write --topic "+t.Name))
		return false
	case seen.err != nil:
		add(levelProblem, "it cannot be looked at: "+seen.err.Error(), acl("--operation Read --operation Write --operation DescribeConfigs --topic "+t.Name))
		return false
	}
	n, policy := seen.partitions, d.policy(ctx, t.Name)
	if err := t.Fit(n, policy); err != nil {
		do := "kafka-configs --alter --entity-type topics --entity-name " + t.Name + " --add-config cleanup.policy=compact"
		if t.Single && n > 1 {
			do = "copy it to a compacted topic of one partition and name that one"
		}
		add(levelProblem, err.Error(), do)
	} else {
		text := fmt.Sprintf("%s, %s, cleanup.policy=%s", plural(n, "partition"), plural(seen.replicas, "replica"), policy)
		if policy == "" {
			text = strings.TrimSuffix(text, "cleanup.policy=") + "its cleanup policy may not be read and is taken to be compact"
		}
		add(levelOK, text, "")
	}
	return d.allowed("topic "+t.Name, seen.operations, "--topic "+t.Name, kmsg.ACLOperationRead, kmsg.ACLOperationWrite)
}

func (d *doctor) access(l level, about, text, do string) {
	d.report.Access = append(d.report.Access, finding{l, about, text, do})
}

// acl is the command that gives the worker's principal what it lacks.
func acl(what string) string {
	return "kafka-acls --add --allow-principal User:<the worker's> " + what
}

// allowed compares what the broker says is allowed (KIP-430) with what is needed. It
// returns false when the first of them is not.
func (d *doctor) allowed(about string, have []kadm.ACLOperation, resource string, need ...kadm.ACLOperation) bool {
	if len(have) == 0 {
		d.access(levelNotChecked, about, "the broker does not say what is allowed", "")
		return true
	}
	var lacks []string
	for _, op := range need {
		if !slices.Contains(have, op) {
			lacks = append(lacks, op.String())
		}
	}
	if len(lacks) == 0 {
		var texts []string
		for _, op := range need {
			texts = append(texts, op.String())
		}
		d.access(levelOK, about, strings.Join(texts, " and ")+" allowed", "")
		return true
	}
	d.access(levelProblem, about, strings.Join(lacks, " and ")+" not allowed", acl("--operation "+strings.Join(lacks, " --operation ")+" "+resource))
	return !slices.Contains(lacks, need[0].String())
}

// examineGroup looks who is in the workers' group.
func (d *doctor) examineGroup(ctx context.Context) {
	about := "group " + d.report.Group
	add := func(l level, text, do string) {
		d.report.Members = append(d.report.Members, finding{l, about, text, do})
	}
	groups, err := d.adm.DescribeGroups(ctx, d.report.Group)
	var se *kadm.ShardErrors
	if errors.As(err, &se) && len(se.Errs) > 0 {
		err = se.Errs[0].Err
	}
	g := groups[d.report.Group]
	if err == nil {
		err = g.Err
	}
	switch {
	case errors.Is(err, kerr.GroupIDNotFound), err == nil && len(g.Members) == 0:
		add(levelOK, "nobody is in it", "")
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		add(levelNotChecked, "this principal may not look into it", "see that no worker of Kafka Connect runs before you start Troupe")
		d.access(levelProblem, about, "not even DESCRIBE is allowed", acl("--operation Read --group "+d.report.Group))
		return
	case err != nil:
		add(levelNotChecked, err.Error(), "see that no worker of Kafka Connect runs before you start Troupe")
		return
	case g.ProtocolType != "connect":
		add(levelProblem, fmt.Sprintf("it is used by %d clients of another kind (protocol type %s)", len(g.Members), g.ProtocolType), "end them, or give the workers another group.id")
	default:
		for _, m := range g.Members {
			what := "a worker of Kafka Connect"
			who := m.ClientID + " at " + m.ClientHost
			do := "stop it before you start Troupe, which refuses to share the group with it"
			if strings.HasPrefix(g.Protocol, "troupe") {
				what, do = "a node of Troupe", ""
				if m.InstanceID != nil {
					who = *m.InstanceID + ", " + who
				}
			} else if c, ok := m.Join.AsConnect(); ok && c.URL != "" {
				who = c.URL + ", " + who
			}
			l := levelFirst
			if do == "" {
				l = levelNote
			}
			add(l, fmt.Sprintf("%s is in it: %s, protocol %s", what, who, g.Protocol), do)
		}
	}
	if err != nil || len(g.AuthorizedOperations) == 0 {
		d.access(levelNotChecked, about, "the broker does not say what is allowed on a group that has no members", acl("--operation Read --group "+d.report.Group)+", if it lacks")
		return
	}
	d.allowed(about, g.AuthorizedOperations, "--group "+d.report.Group, kmsg.ACLOperationRead)
}

// examineTransactions asks about the transactional id of the cluster's leader.
func (d *doctor) examineTransactions(ctx context.Context, state error) {
	id := "connect-cluster-" + d.report.Group
	about, grant := "transactional id "+id, acl("--operation Write --operation Describe --transactional-id "+id)
	if state != nil {
		d.access(levelNotChecked, about, "the topic __transaction_state is not there or not shown, and to ask creates it where it is not", grant+", if it lacks")
		return
	}
	got, err := d.adm.DescribeTransactions(ctx, id)
	var se *kadm.ShardErrors
	var ae *kadm.AuthError
	switch {
	case errors.As(err, &se) && len(se.Errs) > 0:
		err = se.Errs[0].Err
	case errors.As(err, &ae):
		err = ae.Err
	}
	if err == nil {
		err = got[id].Err
	}
	switch {
	case err == nil || errors.Is(err, kerr.TransactionalIDNotFound):
		d.access(levelNotChecked, about, "DESCRIBE is allowed; whether WRITE is can only be seen by writing", grant+", if it lacks")
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		d.access(levelProblem, about, "not even DESCRIBE is allowed", grant)
	default:
		d.access(levelNotChecked, about, err.Error(), "")
	}
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
