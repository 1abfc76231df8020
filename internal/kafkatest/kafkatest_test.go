package kafkatest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/internal/kafkatest"
)

func TestMain(m *testing.M) { os.Exit(kafkatest.Main(m)) }

// TestBrokerKeepsRecordsOverRestart is the package's promise: a real broker,
// and the same ports and data after a restart and after a kill.
func TestBrokerKeepsRecordsOverRestart(t *testing.T) {
	const n = 1000
	b := kafkatest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("numbers"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(fmt.Sprint(i))
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}

	consume(ctx, t, b.Addr(), n)
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	consume(ctx, t, b.Addr(), n)
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	consume(ctx, t, b.Addr(), n)
}

// consume reads topic numbers from its start and expects 0 to n-1 in order.
func consume(ctx context.Context, t *testing.T, addr string, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("numbers"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for next := 0; next < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d records: %v", next, err)
		}
		for r := range fetches.RecordsAll() {
			if string(r.Value) != fmt.Sprint(next) {
				t.Fatalf("record %d is %q", next, r.Value)
			}
			next++
		}
	}
}

// TestConnectMovesAFile starts both kinds of Kafka Connect worker and lets each
// copy a file into a topic and out again.
func TestConnectMovesAFile(t *testing.T) {
	for _, standalone := range []bool{false, true} {
		t.Run(fmt.Sprintf("standalone=%t", standalone), func(t *testing.T) {
			b := kafkatest.Shared(t)
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			if err := os.WriteFile(in, []byte("one\ntwo\nthree\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			c := kafkatest.StartConnect(t, b, kafkatest.ConnectOptions{Standalone: standalone, JVM: []string{"-Xmx256m", "-XX:TieredStopAtLevel=1"}})
			topic := fmt.Sprintf("moved-%t", standalone)
			post(t, c.URL(), fmt.Sprintf(`{"name":"in","config":{"connector.class":"FileStreamSource","file":%q,"topic":%q}}`, in, topic))
			post(t, c.URL(), fmt.Sprintf(`{"name":"out","config":{"connector.class":"FileStreamSink","file":%q,"topics":%q}}`, out, topic))

			deadline := time.After(time.Minute)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				if got, _ := os.ReadFile(out); string(got) == "one\ntwo\nthree\n" {
					break
				}
				select {
				case <-tick.C:
				case <-deadline:
					t.Fatalf("not copied within a minute; the end of the log:\n%s", c.Tail(30))
				}
			}
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func post(t *testing.T, base, body string) {
	t.Helper()
	resp, err := http.Post(base+"/connectors", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST /connectors answers %s", resp.Status)
	}
}
