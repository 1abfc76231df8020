package main

import (
	"testing"
	"time"
)

// TestSystemBounce is test_bounce: nodes are ended and started again in turn, round
// after round, while numbers go through three source tasks and three sink tasks. What
// the source has committed and what the sink has flushed has no gaps; and no
// repetitions, if the nodes end in order. Told in the number of each source task.
func TestSystemBounce(t *testing.T) {
	runRows(t, nil, []systemRow{
		{name: "test_bounce/clean", run: func(s *system) { systemBounce(s.t, true) }},
		{name: "test_bounce/unclean", run: func(s *system) { systemBounce(s.t, false) }},
		{name: "test_bounce/clean, consumer protocol", run: func(s *system) { systemBounce(s.t, true, "consumer.override.group.protocol", "consumer") }},
		{name: "test_bounce/compatible and eager", skip: noOtherProtocols},
		{name: "test_exactly_once_source/clean", skip: noExactlyOnce},
		{name: "test_exactly_once_source/unclean", skip: noExactlyOnce},
	})
}

const bounceTasks = 3

func systemBounce(t testing.TB, clean bool, extra ...string) {
	rounds, apart, after := 3, time.Second, 3*time.Second
	if clusterLong() {
		apart, after = 15*time.Second, time.Minute
	}
	s := startSystem(t, 3)
	topic, source, sink := unique("bounce"), unique("bounce-source"), unique("bounce-sink")
	createTopic(t, s.addr, topic, bounceTasks)
	s.any().put(source, verifiableSource(topic, bounceTasks, 200))
	s.any().put(sink, with(verifiableSink(topic, bounceTasks), extra...))
	s.everywhere(source, "RUNNING RUNNING RUNNING RUNNING")
	s.everywhere(sink, "RUNNING RUNNING RUNNING RUNNING")
	for range rounds {
		for _, n := range s.nodes {
			s.end(n, clean)
			s.begin(n)
			time.Sleep(apart) // the rhythm of the rounds is the test's
		}
	}
	time.Sleep(after)
	s.everywhere(source, "RUNNING RUNNING RUNNING RUNNING")
	s.everywhere(sink, "RUNNING RUNNING RUNNING RUNNING")
	s.waitWhole(2 * bounceTasks)

	// The source ends first, so that the sink can catch up with it.
	s.any().rest(204, "PUT", at(source)+"/stop", nil)
	s.everywhere(source, "STOPPED")
	committed := verdicts(s.printed(source), bounceTasks, func(l verifiedLine) bool { return l.Committed })
	arrived := verdicts(linesOfTopic(t, s.addr, topic), bounceTasks, func(verifiedLine) bool { return true })
	var flushed []verdict
	eventually(t, func() string {
		flushed = verdicts(s.printed(sink), bounceTasks, func(l verifiedLine) bool { return l.Flushed })
		for i := range flushed {
			if flushed[i].highest < committed[i].highest {
				return "the sink has flushed " + flushed[i].String() + ", the source has committed " + committed[i].String()
			}
		}
		return ""
	})
	for i := range bounceTasks {
		c, a, f := committed[i], arrived[i], flushed[i]
		t.Logf("source task %d: committed %v; in the topic %v; flushed %v", i, c, a, f)
		if c.missing > 0 || a.missing > 0 || f.missing > 0 {
			t.Errorf("source task %d has gaps", i)
		}
		if clean && (c.again > 0 || a.again > 0 || f.again > 0) {
			t.Errorf("source task %d has repetitions, although all nodes ended in order", i)
		}
		if f.highest > a.highest {
			t.Errorf("of source task %d the sink has flushed %d, beyond what the topic has", i, f.highest)
		}
		if c.highest < 1000 || f.highest < 1000 {
			t.Errorf("source task %d made less than 1000 numbers", i)
		}
	}
	s.delete(sink)
	s.delete(source)
}
