package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// verifiedLine is what Kafka's verifiable connectors print for a record.
type verifiedLine struct {
	Name               string
	Task               int // the source's
	SinkTask           *int
	Topic              string
	Seqno              int
	Committed, Flushed bool
}

func verifiableSource(topic string, tasks, rate int) map[string]string {
	return map[string]string{"connector.class": kafkaTools + "VerifiableSourceConnector", "tasks.max": strconv.Itoa(tasks), "topic": topic, "throughput": strconv.Itoa(rate)}
}

func verifiableSink(topic string, tasks int) map[string]string {
	return map[string]string{"connector.class": kafkaTools + "VerifiableSinkConnector", "tasks.max": strconv.Itoa(tasks), "topics": topic}
}

// printed returns what a verifiable connector has printed so far, in all processes that
// there have been. A line that kill -9 cut off says nothing.
func (s *system) printed(connector string) []verifiedLine {
	s.t.Helper()
	var out []verifiedLine
	prefix := []byte(`{"name":"` + connector + `",`)
	for _, path := range s.lives {
		b, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if l := lines.Bytes(); bytes.HasPrefix(l, prefix) {
				var v verifiedLine
				if json.Unmarshal(l, &v) == nil {
					out = append(out, v)
				}
			}
		}
		if err := lines.Err(); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// verdict is what the numbers of one source task are like.
type verdict struct{ count, highest, missing, again int }

func (v verdict) String() string {
	return fmt.Sprintf("%d numbers up to %d, %d missing, %d again", v.count, v.highest, v.missing, v.again)
}

// verdicts judges, for each of a number of source tasks, the lines that are chosen.
func verdicts(lines []verifiedLine, tasks int, choose func(verifiedLine) bool) []verdict {
	out := make([]verdict, tasks)
	seen := make([]map[int]int, tasks)
	for i := range seen {
		seen[i] = make(map[int]int)
		out[i].highest = -1
	}
	for _, l := range lines {
		if choose(l) && l.Task < tasks {
			seen[l.Task][l.Seqno]++
		}
	}
	for i, m := range seen {
		for n, times := range m {
			out[i].count++
			out[i].again += times - 1
			out[i].highest = max(out[i].highest, n)
		}
		out[i].missing = out[i].highest + 1 - out[i].count
	}
	return out
}

// linesOfTopic returns what a verifiable source has written into a topic.
func linesOfTopic(t testing.TB, addr, topic string) []verifiedLine {
	t.Helper()
	var out []verifiedLine
	for _, r := range recordsNow(t, addr, topic) {
		var key, value struct{ Payload int }
		if err := json.Unmarshal(r.Key, &key); err != nil {
			t.Fatalf("the key %s: %v", r.Key, err)
		}
		if err := json.Unmarshal(r.Value, &value); err != nil {
			t.Fatalf("the value %s: %v", r.Value, err)
		}
		out = append(out, verifiedLine{Task: key.Payload, Seqno: value.Payload})
	}
	return out
}
