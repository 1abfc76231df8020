package kafkaclient

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/codec/configdef"
)

const assignorPackage = "org.apache.kafka.clients.consumer."

// group sets the consumer group with everything that only a group has.
func (b *build) group(v value) {
	s := &b.out.Settings
	s.MaxPollInterval = millis(b.values["max.poll.interval.ms"].n)
	s.AutoCommit = b.values["enable.auto.commit"].b
	serverSide := strings.EqualFold(b.values["group.protocol"].text, "consumer")
	balancers := b.balancers()
	if serverSide {
		balancers = b.assignor()
	} else if !b.values["group.remote.assignor"].null {
		b.fail(configdef.ErrorOn("group.remote.assignor", "group.remote.assignor cannot be set when group.protocol=CLASSIC"))
	}
	session, heartbeat := b.values["session.timeout.ms"], b.values["heartbeat.interval.ms"]
	if !serverSide && heartbeat.n >= session.n {
		b.fail(configdef.ErrorOn("heartbeat.interval.ms", "Heartbeat must be set lower than the session timeout: heartbeat.interval.ms is %d, session.timeout.ms is %d", heartbeat.n, session.n))
	}
	if session.n < 1 || heartbeat.n < 1 {
		b.fail(configdef.ErrorOn("session.timeout.ms", "session.timeout.ms and heartbeat.interval.ms must be at least 1, they are %d and %d", session.n, heartbeat.n))
	}
	if v.null || v.text == "" {
		s.AutoCommit = false // nothing commits without a group
		return
	}
	s.GroupID = v.text
	const least = 100 * time.Millisecond
	b.add(
		kgo.ConsumerGroup(v.text),
		kgo.SessionTimeout(max(millis(session.n), least)),
		kgo.HeartbeatInterval(millis(heartbeat.n)),
		kgo.RebalanceTimeout(max(s.MaxPollInterval, least)),
	)
	if len(balancers) > 0 {
		b.add(kgo.Balancers(balancers...))
	}
	if serverSide {
		b.add(kgo.ServerSideBalancer())
	}
	if id := b.values["group.instance.id"]; !id.null {
		s.GroupInstanceID = id.text
		b.add(kgo.InstanceID(id.text))
	}
	if s.AutoCommit {
		b.add(kgo.AutoCommitInterval(max(millis(b.values["auto.commit.interval.ms"].n), least)))
	} else {
		b.add(kgo.DisableAutoCommit())
	}
}

// balancers are the classic protocol's, in the user's order.
func (b *build) balancers() []kgo.GroupBalancer {
	const name = "partition.assignment.strategy"
	v := b.values[name]
	var out []kgo.GroupBalancer
	for _, class := range v.list {
		switch class {
		case assignorPackage + "RangeAssignor":
			out = append(out, kgo.RangeBalancer())
		case assignorPackage + "RoundRobinAssignor":
			out = append(out, kgo.RoundRobinBalancer())
		case assignorPackage + "StickyAssignor":
			out = append(out, kgo.StickyBalancer())
		case assignorPackage + "CooperativeStickyAssignor":
			out = append(out, kgo.CooperativeStickyBalancer())
		default:
			b.fail(configdef.InvalidValue(name, class, "Class "+class+" could not be found."))
		}
	}
	if len(v.list) == 0 {
		b.fail(configdef.InvalidValue(name, v.text, "at least one assignor is needed"))
	}
	return out
}

// assignor is the broker's assignor of the new protocol; franz-go names it through
// the balancer. Java refuses the classic protocol's properties beside it.
func (b *build) assignor() []kgo.GroupBalancer {
	var wrong []string
	for _, name := range []string{"partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"} {
		if b.values[name].set {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) > 0 {
		b.fail(configdef.ErrorOn("group.protocol", "%s cannot be set when group.protocol=CONSUMER", strings.Join(wrong, ", ")))
	}
	switch v := b.values["group.remote.assignor"]; v.text {
	case "", "uniform":
		return []kgo.GroupBalancer{kgo.StickyBalancer()}
	case "range":
		return []kgo.GroupBalancer{kgo.RangeBalancer()}
	default:
		b.fail(configdef.InvalidValue("group.remote.assignor", v.text, "only uniform and range are supported"))
		return nil
	}
}

// reset is auto.offset.reset: one of the three words, or back by a duration.
type reset struct {
	word string
	back time.Duration
}

func (b *build) offsetReset(v value) {
	r, err := parseReset(v.text)
	if err != nil {
		return // the table's check has said so
	}
	// Both options are needed: neither implies the other.
	switch r.word {
	case "earliest":
		b.startAt(kgo.NewOffset().AtStart())
	case "latest":
		b.startAt(kgo.NewOffset().AtEnd())
	case "none":
		b.startAt(kgo.NoResetOffset())
		if !b.values["group.id"].null {
			b.add(kgo.OnOffsetsFetched(refuseUndefined))
		}
	default:
		b.startAt(kgo.NewOffset().AfterMilli(time.Now().Add(-r.back).UnixMilli()))
	}
}

// refuseUndefined keeps a group with auto.offset.reset=none from starting partitions
// without a committed offset at their beginning, as franz-go otherwise would.
func refuseUndefined(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	var undefined []string
	see := func(topic string, partition int32, offset int64, code int16) {
		if code == 0 && offset < 0 {
			undefined = append(undefined, topic+"-"+strconv.Itoa(int(partition)))
		}
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			see(t.Topic, p.Partition, p.Offset, p.ErrorCode)
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				see(t.Topic, p.Partition, p.Offset, p.ErrorCode)
			}
		}
	}
	if len(undefined) > 0 {
		return fmt.Errorf("Undefined offset with no reset policy for partitions: [%s]", strings.Join(undefined, ", "))
	}
	return nil
}

func (b *build) startAt(o kgo.Offset) {
	b.add(kgo.ConsumeStartOffset(o), kgo.ConsumeResetOffset(o))
}

func parseReset(text string) (reset, error) {
	// Java compares the words without case.
	word := strings.ToLower(text)
	switch word {
	case "earliest", "latest", "none":
		return reset{word: word}, nil
	}
	rest, ok := strings.CutPrefix(text, "by_duration:")
	if !ok {
		return reset{}, errors.New("unknown word")
	}
	d, err := parseISODuration(rest)
	return reset{word: "by_duration", back: d}, err
}

var isoDuration = regexp.MustCompile(`(?i)^P(?:([0-9]+)D)?(T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]{0,9})?)S)?)?$`)

// parseISODuration reads a duration as java.time.Duration writes it, not negative.
func parseISODuration(text string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || m[1]+m[3]+m[4]+m[5] == "" || strings.EqualFold(m[2], "T") {
		return 0, errors.New("not a duration of the form PnDTnHnMn.nS")
	}
	var total float64
	for _, part := range []struct {
		text string
		unit time.Duration
	}{{m[1], 24 * time.Hour}, {m[3], time.Hour}, {m[4], time.Minute}, {m[5], time.Second}} {
		if part.text == "" {
			continue
		}
		n, err := strconv.ParseFloat(part.text, 64)
		if err != nil {
			return 0, err
		}
		total += n * float64(part.unit)
	}
	if total > float64(100*365*24*time.Hour) {
		return 0, errors.New("longer than 100 years")
	}
	return time.Duration(total), nil
}

func (b *build) isolation(v value) {
	if v.text == "read_committed" {
		b.out.Settings.ReadCommitted = true
		b.add(kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		return
	}
	b.add(kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
}

func (b *build) fetchMin(v value) { b.add(kgo.FetchMinBytes(int32(v.n))) }

func (b *build) fetchMax(v value) {
	n := int32(min(v.n, mostBytes))
	b.add(kgo.FetchMaxBytes(n), kgo.BrokerMaxReadBytes(max(n, requestBytes)))
}

func (b *build) fetchPartition(v value) {
	b.add(kgo.FetchMaxPartitionBytes(int32(min(v.n, mostBytes))))
}

func (b *build) fetchWait(v value) {
	b.add(kgo.FetchMaxWait(max(millis(v.n), 10*time.Millisecond)))
}

func (b *build) rack(v value) {
	if v.text != "" {
		b.add(kgo.Rack(v.text))
	}
}

func (b *build) crcs(v value) {
	if !v.b {
		b.add(kgo.DisableFetchCRCValidation())
	}
}

func (b *build) autoCreate(v value) {
	if v.b {
		b.add(kgo.AllowAutoTopicCreation())
	}
}
