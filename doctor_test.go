package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/troupeio/troupe/internal/golden"
)

// harmless are the requests that change nothing.
var harmless = map[kmsg.Key]bool{kmsg.ApiVersions: true, kmsg.Metadata: true, kmsg.ListOffsets: true, kmsg.Fetch: true, kmsg.FindCoordinator: true,
	kmsg.DescribeGroups: true, kmsg.OffsetFetch: true, kmsg.DescribeConfigs: true, kmsg.DescribeTransactions: true, kmsg.DescribeCluster: true,
	kmsg.SASLHandshake: true, kmsg.SASLAuthenticate: true, kmsg.OffsetForLeaderEpoch: true}

// fakeCluster is a fake Kafka cluster on which Kafka Connect has run.
type fakeCluster struct {
	*kfake.Cluster
	addr string
	mu   sync.Mutex
	bad  []string // requests that change something
	on   bool
}

func newFakeCluster(t *testing.T, opts ...kfake.Opt) *fakeCluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f := &fakeCluster{Cluster: c, addr: c.ListenAddrs()[0]}
	c.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.on && !harmless[kmsg.Key(r.Key())] {
			f.bad = append(f.bad, kmsg.NameForKey(r.Key()))
		}
		return nil, nil, false
	})
	return f
}

// watch notes the requests from now on.
func (f *fakeCluster) watch(on bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
	return f.bad
}

// connectRecord is a record as Kafka Connect writes it.
type connectRecord struct{ topic, key, value string }

func configRecord(name string, config map[string]string) connectRecord {
	config["name"] = name
	b, _ := json.Marshal(map[string]any{"properties": config}) // strings
	return connectRecord{"connect-configs", "connector-" + name, string(b)}
}

// recordedRecords are what a Kafka Connect worker has written into its config and
// offset topics until a step of the recording.
func recordedRecords(t *testing.T, until int) []connectRecord {
	t.Helper()
	var out []connectRecord
	for _, r := range golden.Read[topicRow](t, "internal_topics.jsonl") {
		if r.CausedBy != nil && r.CausedBy.Step <= until && r.Value != nil && (r.Topic == "connect-configs" || r.Topic == "connect-offsets") {
			out = append(out, connectRecord{r.Topic, *r.Key, *r.Value})
		}
	}
	return out
}

const mirrorClass = "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector"

// leftBehind are connectors of which something is wrong here, as Kafka Connect leaves
// them.
func leftBehind() []connectRecord {
	class := "org.apache.kafka.connect.file.FileStreamSourceConnector"
	task := `{"properties":{"connector.class":"` + mirrorClass + `","name":"mirror"}}`
	return []connectRecord{
		configRecord("mirror", map[string]string{"connector.class": mirrorClass, "tasks.max": "1"}),
		{"connect-configs", "task-mirror-0", task}, {"connect-configs", "commit-mirror", `{"tasks":1}`},
		{"connect-offsets", `["mirror",{"source":"a","target":"b"}]`, `{"offset":7}`},
		{"connect-configs", "target-state-asleep", `{"state":"PAUSED","state.v2":"PAUSED"}`},
		configRecord("asleep", map[string]string{"connector.class": class, "tasks.max": "1", "file": "/var/in", "topic": "t"}),
		configRecord("broken", map[string]string{"connector.class": class, "tasks.max": "many", "file": "/var/in", "topic": "t",
			"transforms": "a,b", "transforms.a.type": "com.example.Scramble", "transforms.b.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.b.field": "line"}),
		configRecord("override", map[string]string{"connector.class": class, "file": "/var/in", "topic": "t", "producer.override.acks": "1"}),
		configRecord("reference", map[string]string{"connector.class": class, "file": "${vault:files:in}", "topic": "t"}),
		configRecord("secret", map[string]string{"connector.class": class, "file": "/var/in", "topic": "t", "tasks.max": "${env:DOCTOR_SECRET}"}),
		configRecord("converter", map[string]string{"connector.class": class, "file": "/var/in", "topic": "t", "value.converter": "com.acme.connect.OtherConverter"}),
		{"connect-configs", "connector-garbled", `{"properties":`},
		{"connect-offsets", `["gone",{"filename":"x"}]`, `{"position":7}`},
	}
}

// prepare makes the topics and writes the records.
func prepare(t *testing.T, cl *kgo.Client, records []connectRecord) {
	t.Helper()
	adm := kadm.NewClient(cl)
	compact := "compact"
	for topic, partitions := range map[string]int32{"connect-configs": 1, "connect-offsets": 25, "connect-status": 5} {
		if _, err := adm.CreateTopic(soon(t), partitions, 1, map[string]*string{"cleanup.policy": &compact}, topic); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range records {
		if err := cl.ProduceSync(soon(t), &kgo.Record{Topic: r.topic, Key: []byte(r.key), Value: []byte(r.value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// clusterState is everything that a doctor might change.
func clusterState(t *testing.T, cl *kgo.Client) string {
	t.Helper()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopicsWithInternal(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ends, err := adm.ListEndOffsets(soon(t), topics.Names()...)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		out = append(out, fmt.Sprintf("%s-%d ends at %d", o.Topic, o.Partition, o.Offset))
	})
	groups, err := adm.ListGroups(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	described, err := adm.DescribeGroups(soon(t), groups.Groups()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range described {
		offsets, err := adm.FetchOffsets(soon(t), g.Group)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("group %s is %s with %d members", g.Group, g.State, len(g.Members)))
		offsets.Each(func(o kadm.OffsetResponse) {
			out = append(out, fmt.Sprintf("group %s is at %s-%d@%d", g.Group, o.Topic, o.Partition, o.At))
		})
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// takeoverReport runs the doctor and returns its report, its text and its exit code.
func takeoverReport(t *testing.T, file string) (r doctorReport, text string, code int) {
	t.Helper()
	exit := func(err error) int {
		var f *fatal
		if errors.As(err, &f) {
			return f.code
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0
	}
	var plain, coded bytes.Buffer
	code = exit(runDoctor(t.Context(), []string{"takeover", file}, &plain))
	if again := exit(runDoctor(t.Context(), []string{"takeover", "--json", file}, &coded)); again != code {
		t.Errorf("exit code %d with --json, %d without", again, code)
	}
	if err := json.Unmarshal(coded.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, coded.String())
	}
	return r, plain.String(), code
}

func (r *doctorReport) verdicts() map[string]string {
	out := make(map[string]string)
	for _, c := range r.Connectors {
		out[c.Name] = c.Verdict
	}
	return out
}

// doctorProps are the properties of the worker whose topics [prepare] makes.
func doctorProps(addr string, extra ...string) map[string]string {
	p := map[string]string{"bootstrap.servers": addr, "group.id": "old", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "config.storage.topic": "connect-configs", "offset.storage.topic": "connect-offsets",
		"status.storage.topic": "connect-status", "plugin.path": "/usr/share/java"}
	maps.Copy(p, pairs(extra))
	return p
}

func TestDoctorTakeover(t *testing.T) {
	t.Setenv("DOCTOR_SECRET", "hunter2")
	f := newFakeCluster(t)
	cl := kafkaClient(t, f.addr)
	prepare(t, cl, append(recordedRecords(t, 24), leftBehind()...))
	var committed kadm.Offsets
	committed.AddOffset("life-topic", 0, 3, -1)
	createTopic(t, f.addr, "life-topic", 1)
	if got, err := kadm.NewClient(cl).CommitOffsets(soon(t), "connect-life-sink", committed); err != nil || got.Error() != nil {
		t.Fatal(err, got.Error())
	}
	before := clusterState(t, cl)
	f.watch(true)
	r, text, code := takeoverReport(t, writeProps(t, doctorProps(f.addr, "connector.client.config.override.policy", "Principal",
		"config.providers", "env", "config.providers.env.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider", "worker.colour", "blue")))
	if bad := f.watch(false); len(bad) > 0 {
		t.Errorf("the doctor has sent %v", bad)
	}
	if after := clusterState(t, cl); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Log("\n" + text)
	if code != exitNotAll || r.AllRun || !r.Starts {
		t.Errorf("exit code %d, all_run %t, starts %t", code, r.AllRun, r.Starts)
	}
	want := map[string]string{"life-source": verdictRuns, "life-sink": verdictRuns, "life-running": verdictRuns, "life-paused": verdictRuns, "life-stopped": verdictStopped,
		"asleep": verdictPaused, "mirror": verdictCannot, "broken": verdictCannot, "override": verdictCannot, "reference": verdictCannot, "secret": verdictCannot, "converter": verdictCannot}
	if got := r.verdicts(); !maps.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
	offsets := map[string]int{"life-source": 1, "life-sink": 1, "mirror": 1, "asleep": 0}
	tasks := map[string]int{"life-source": 1, "life-sink": 2, "life-stopped": 0, "mirror": 1}
	for _, c := range r.Connectors {
		if n, ok := offsets[c.Name]; ok && (c.Offsets == nil || *c.Offsets != n) {
			t.Errorf("%s has %v offsets, want %d", c.Name, c.Offsets, n)
		}
		if n, ok := tasks[c.Name]; ok && c.Tasks != n {
			t.Errorf("%s has %d tasks, want %d", c.Name, c.Tasks, n)
		}
	}
	for _, s := range []string{
		"plugin.path", "worker.colour: is not known and is ignored", "nobody is in it",
		"1 partition, 1 replica, cleanup.policy=compact", "25 partitions", "READ and WRITE allowed",
		`Troupe has no connector "` + mirrorClass + `"`, "stay as they are",
		"Invalid value many for configuration tasks.max: Not a number of type INT", `Troupe has no transformation "com.example.Scramble"`,
		"producer.override.acks: The 'Principal' policy does not allow 'acks' to be overridden in the connector configuration.",
		"the reference in it is not resolved: ${vault:files:in}", "${env:DOCTOR_SECRET}", `Troupe has no converter "com.acme.connect.OtherConverter"`,
		"connector-garbled", "offsets of gone: 1 partitions of a connector that is not configured",
		"Of 12 connectors 4 would run, 1 stay paused, 1 stay stopped, 6 cannot run.",
	} {
		if !strings.Contains(text, s) {
			t.Errorf("the text does not say %q", s)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("the text shows a secret")
	}
}

// TestDoctorAllWell is exit code 0, and that nobody creates topics that are missing.
func TestDoctorAllWell(t *testing.T) {
	f := newFakeCluster(t)
	cl := kafkaClient(t, f.addr)
	r, text, code := takeoverReport(t, writeProps(t, doctorProps(f.addr)))
	if code != 0 || !r.AllRun || strings.Count(text, "it does not exist") < 3 {
		t.Errorf("without topics: exit code %d\n%s", code, text)
	}
	if s := clusterState(t, cl); s != "" {
		t.Errorf("there is now\n%s", s)
	}
	prepare(t, cl, recordedRecords(t, 24))
	if r, text, code = takeoverReport(t, writeProps(t, doctorProps(f.addr))); code != 0 || !r.AllRun || len(r.Connectors) != 5 {
		t.Errorf("exit code %d\n%s", code, text)
	}
}

// TestDoctorWorker is what stops the start of the worker itself.
func TestDoctorWorker(t *testing.T) {
	f := newFakeCluster(t)
	cl := kafkaClient(t, f.addr)
	prepare(t, cl, recordedRecords(t, 24))
	createTopic(t, f.addr, "three", 3, "cleanup.policy", "compact")
	createTopic(t, f.addr, "deleting", 1, "cleanup.policy", "delete")
	for _, row := range []struct {
		name  string
		extra []string
		says  []string
	}{
		{"not built", []string{"exactly.once.source.support", "enabled"}, []string{"exactly-once sources are not built yet", "4 would run"}},
		{"policy", []string{"connector.client.config.override.policy", "com.example.Mine"}, []string{"Class com.example.Mine could not be found.", "4 would run"}},
		{"converter", []string{"value.converter", "com.acme.connect.OtherConverter"}, []string{"Class com.acme.connect.OtherConverter could not be found."}},
		{"provider", []string{"config.providers", "v", "config.providers.v.class", "com.example.Vault"}, []string{"com.example.Vault"}},
		{"extension", []string{"rest.extension.classes", "com.example.Guard"}, []string{"com.example.Guard"}},
		{"partitions", []string{"config.storage.topic", "three"}, []string{"is required to have a single partition"}},
		{"cleanup", []string{"offset.storage.topic", "deleting"}, []string{"found the topic currently has 'cleanup.policy=delete'", "--add-config cleanup.policy=compact"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, text, code := takeoverReport(t, writeProps(t, doctorProps(f.addr, row.extra...)))
			if code != exitNotAll || r.Starts {
				t.Errorf("exit code %d, starts %t", code, r.Starts)
			}
			for _, s := range append(row.says, "Troupe would not start") {
				if !strings.Contains(text, s) {
					t.Errorf("the text does not say %q:\n%s", s, text)
				}
			}
		})
	}
}

// TestDoctorNoVerdict is exit code 2.
func TestDoctorNoVerdict(t *testing.T) {
	incomplete := doctorProps("127.0.0.1:1")
	delete(incomplete, "group.id")
	for _, row := range []struct {
		name string
		args []string
	}{
		{"nothing", nil}, {"another examination", []string{"rollback"}}, {"no file", []string{"takeover"}}, {"two files", []string{"takeover", "a", "b"}},
		{"unknown flag", []string{"takeover", "--yes", "a"}}, {"missing file", []string{"takeover", filepath.Join(t.TempDir(), "none")}},
		{"without group.id", []string{"takeover", writeProps(t, incomplete)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var f *fatal
			if err := runDoctor(context.Background(), row.args, &bytes.Buffer{}); !errors.As(err, &f) || f.code != exitNoVerdict {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("no Kafka", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience/60)
		defer cancel()
		var f *fatal
		var out bytes.Buffer
		err := runDoctor(ctx, []string{"takeover", writeProps(t, doctorProps("127.0.0.1:1"))}, &out)
		if !errors.As(err, &f) || f.code != exitNoVerdict || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(out.String(), "plugin.path") {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

// TestDoctorACLs runs the doctor as somebody who may not do everything.
func TestDoctorACLs(t *testing.T) {
	f := newFakeCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin"), kfake.User("PLAIN", "worker", "worker",
		allow(kmsg.ACLResourceTypeTopic, "connect-configs", kmsg.ACLOperationRead), allow(kmsg.ACLResourceTypeTopic, "connect-configs", kmsg.ACLOperationWrite),
		allow(kmsg.ACLResourceTypeTopic, "connect-offsets", kmsg.ACLOperationRead),
		allow(kmsg.ACLResourceTypeGroup, "old", kmsg.ACLOperationRead)))
	cl := kafkaClient(t, f.addr, kgo.SASL(plain.Auth{User: "admin", Pass: "admin"}.AsMechanism()))
	prepare(t, cl, recordedRecords(t, 24))
	jaas := `org.apache.kafka.common.security.plain.PlainLoginModule required username="worker" password="worker";`
	r, text, code := takeoverReport(t, writeProps(t, doctorProps(f.addr, "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.jaas.config", jaas)))
	t.Log("\n" + text)
	if code != exitNotAll || r.Starts {
		t.Errorf("exit code %d, starts %t", code, r.Starts)
	}
	for _, s := range []string{"topic connect-configs: READ and WRITE allowed", "topic connect-offsets: WRITE not allowed", "--operation WRITE --topic connect-offsets",
		"status.storage.topic connect-status: it cannot be looked at", "consumer group connect-life-sink: this principal may not use it", "transactional id connect-cluster-old"} {
		if !strings.Contains(text, s) {
			t.Errorf("the text does not say %q", s)
		}
	}
	if strings.Contains(text, "password") {
		t.Error("the text shows a password")
	}
}

// allow permits a user an operation on one resource.
func allow(kind kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
}

// TestDoctorCommand runs the doctor as a process.
func TestDoctorCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	f := newFakeCluster(t)
	prepare(t, kafkaClient(t, f.addr), leftBehind())
	p := runTroupe(t, nil, "doctor", "takeover", writeProps(t, doctorProps(f.addr)))
	if code := p.exit(patience); code != exitNotAll {
		t.Errorf("exit code %d:\n%s", code, p.log())
	}
	if b, err := os.ReadFile(p.LogFile()); err != nil || !strings.Contains(string(b), "troupe: of 7 connectors") {
		t.Errorf("%v\n%s", err, b)
	}
}
