package devbroker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// childDir names the environment variable that makes the test binary a process
// with a broker on that directory, to be killed.
const childDir = "DEVBROKER_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child runs a broker until its standard input ends, and then closes it.
func child(dir string) int {
	b, err := Start(context.Background(), Options{Dir: dir, Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("addr:", b.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := b.Close(context.Background()); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	addr  string
}

func startChild(t *testing.T, dir string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, stdin: stdin}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "addr: ")
	if !ok {
		t.Fatalf("the child says %q (%v)", line, err)
	}
	p.addr = addr
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// stop lets the child close its broker.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the child ended with %v", err)
	}
}

func start(t *testing.T, o Options) *Broker {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	b, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, b) })
	return b
}

func stop(t *testing.T, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.AllowAutoTopicCreation(), kgo.DisableClientMetrics()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(v), Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// consume reads n records from the beginning, and whatever else comes with them.
func consume(t *testing.T, addr, topic string, n int, opts ...kgo.Opt) []string {
	t.Helper()
	cl := client(t, addr, append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %q: %v", values, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func equal(t *testing.T, got any, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEphemeral(t *testing.T) {
	b := start(t, Options{Ephemeral: true})
	produce(t, client(t, b.Addr()), "t", "a", "b")
	equal(t, consume(t, b.Addr(), "t", 2), []string{"a", "b"})

	topics, err := kadm.NewClient(client(t, b.Addr())).ListTopics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topics["t"].Partitions); n != 1 {
		t.Errorf("a topic created by its use has %d partitions", n)
	}
	stop(t, b)
	if _, err := os.Stat(b.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	b := start(t, Options{Dir: dir})
	admin := kadm.NewClient(client(t, b.Addr()))
	compact := "compact"
	if _, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, "configs"); err != nil {
		t.Fatal(err)
	}
	cl := client(t, b.Addr())
	produce(t, cl, "configs", "x", "y")
	produce(t, cl, "t", "1", "2", "3")
	offsets := kadm.Offsets{}
	offsets.AddOffset("t", 0, 2, -1)
	if err := admin.CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	before, err := admin.BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop(t, b)

	b = start(t, Options{Dir: dir})
	equal(t, consume(t, b.Addr(), "t", 3), []string{"1", "2", "3"})
	equal(t, consume(t, b.Addr(), "configs", 2), []string{"x", "y"})
	admin = kadm.NewClient(client(t, b.Addr()))
	committed, err := admin.FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := committed.Lookup("t", 0); !ok || o.At != 2 {
		t.Errorf("the group's offset is %+v", o)
	}
	configs, err := admin.DescribeTopicConfigs(t.Context(), "configs")
	if err != nil {
		t.Fatal(err)
	}
	policy := ""
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" {
			policy = c.MaybeValue()
		}
	}
	equal(t, policy, "compact")
	after, err := admin.BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Cluster != after.Cluster || len(after.Cluster) != 22 {
		t.Errorf("the cluster id was %q and is %q", before.Cluster, after.Cluster)
	}
}

func TestBrokerConfigs(t *testing.T) {
	b := start(t, Options{Ephemeral: true})
	got := map[string]string{}
	configs, err := kadm.NewClient(client(t, b.Addr())).DescribeBrokerConfigs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	equal(t, got["log.cleaner.backoff.ms"], "60000")
	equal(t, got["group.consumer.heartbeat.interval.ms"], "500")
}

// TestKilledInTransaction is the story of a worker that is killed while a
// transaction is open, and whose successor goes on with the same producer.
func TestKilledInTransaction(t *testing.T) {
	dir := t.TempDir()
	process := startChild(t, dir)
	transactional := kgo.TransactionalID("connector-0")
	cl := client(t, process.addr, transactional)
	commit := func(cl *kgo.Client, how kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(cl *kgo.Client) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}

	// 1. One transaction is committed, one aborted, one open in two topics.
	begin(cl)
	produce(t, cl, "t", "committed before")
	commit(cl, kgo.TryCommit)
	begin(cl)
	produce(t, cl, "t", "aborted before")
	commit(cl, kgo.TryAbort)
	begin(cl)
	produce(t, cl, "t", "open")
	produce(t, cl, "u", "open too")

	// 2. The broker is killed, and started again.
	process.kill()
	cl.Close()
	if _, err := os.Stat(filepath.Join(dir, cleanFile)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a killed broker left the mark of a clean shutdown: %v", err)
	}
	b := start(t, Options{Dir: dir})

	// 3. The same producer commits again, in both topics.
	cl = client(t, b.Addr(), transactional)
	begin(cl)
	produce(t, cl, "t", "committed after")
	produce(t, cl, "u", "committed too")
	commit(cl, kgo.TryCommit)

	committed := kgo.FetchIsolationLevel(kgo.ReadCommitted())
	want := []string{"committed before", "committed after"}
	equal(t, consume(t, b.Addr(), "t", 2, committed), want)
	equal(t, consume(t, b.Addr(), "u", 1, committed), []string{"committed too"})
	equal(t, consume(t, b.Addr(), "t", 4), []string{"committed before", "aborted before", "open", "committed after"})
	cl.Close()

	// 4. A clean restart, and a crash after it, change nothing.
	stop(t, b)
	process = startChild(t, dir)
	equal(t, consume(t, process.addr, "t", 2, committed), want)
	process.kill()
	b = start(t, Options{Dir: dir})
	equal(t, consume(t, b.Addr(), "t", 2, committed), want)
	ends, err := kadm.NewClient(client(t, b.Addr())).ListEndOffsets(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	// 4 records, 2 markers of the first broker, 1 of the recovery, 1 of the last commit.
	if end, _ := ends.Lookup("t", 0); end.Offset != 8 {
		t.Errorf("the log ends at %d: a recovery wrote markers that nothing asked for", end.Offset)
	}
}

// TestKilledAfterCleanRestart has a transaction that is open over a clean
// restart, then a crash before anything was appended to its partition.
func TestKilledAfterCleanRestart(t *testing.T) {
	dir := t.TempDir()
	process := startChild(t, dir)
	cl := client(t, process.addr, kgo.TransactionalID("x"), kgo.TransactionTimeout(10*time.Minute))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "t", "open")
	process.stop(t)
	cl.Close()

	process = startChild(t, dir)
	process.kill()

	b := start(t, Options{Dir: dir})
	cl = client(t, b.Addr(), kgo.TransactionalID("x"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "t", "committed")
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	equal(t, consume(t, b.Addr(), "t", 1, kgo.FetchIsolationLevel(kgo.ReadCommitted())), []string{"committed"})
}

func TestKilledKeepsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	process := startChild(t, dir)
	cl := client(t, process.addr)
	var want []string
	for i := range 200 {
		want = append(want, strconv.Itoa(i))
	}
	produce(t, cl, "t", want...)
	admin := kadm.NewClient(cl)
	offsets := kadm.Offsets{}
	offsets.AddOffset("t", 0, 7, -1)
	if err := admin.CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	process.kill()

	b := start(t, Options{Dir: dir})
	equal(t, consume(t, b.Addr(), "t", 200), want)
	committed, err := kadm.NewClient(client(t, b.Addr())).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := committed.Lookup("t", 0); !ok || o.At != 7 {
		t.Errorf("the group's offset is %+v", o)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	process := startChild(t, dir)
	_, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0"})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("a second broker: %v", err)
	}
	for _, part := range []string{dir, "process " + strconv.Itoa(process.cmd.Process.Pid)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	// The refused one did no harm, and a lock ends with its process.
	produce(t, client(t, process.addr), "t", "a")
	process.kill()
	b := start(t, Options{Dir: dir})
	equal(t, consume(t, b.Addr(), "t", 1), []string{"a"})
	if _, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0"}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second broker in the same process: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt := t.TempDir()
	if err := os.Mkdir(filepath.Join(corrupt, clusterDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(corrupt, clusterDir, clusterMeta), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"directory below a file", Options{Dir: filepath.Join(file, "d")}, "creating the dev broker's directory " + filepath.Join(file, "d")},
		{"directory is a file", Options{Dir: file}, "creating the dev broker's directory " + file},
		{"corrupt", Options{Dir: corrupt}, "opening the dev broker's directory " + corrupt},
		{"both", Options{Dir: file, Ephemeral: true}, "makes no sense"},
		{"no port", Options{Addr: "127.0.0.1"}, "listening on 127.0.0.1: "},
		{"bad port", Options{Addr: "127.0.0.1:x"}, "listening on 127.0.0.1:x: the port is not a number"},
		{"bad advertised port", Options{Addr: "127.0.0.1:0", Advertised: "h:0"}, "advertising h:0: the port"},
		{"foreign address", Options{Addr: "192.0.2.1:9092"}, "listening on 192.0.2.1:9092: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.o.Addr == "" {
				row.o.Addr = "127.0.0.1:0"
			}
			b, err := Start(t.Context(), row.o)
			if err == nil {
				stop(t, b)
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0"})
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port

	t.Run("port taken", func(t *testing.T) {
		b := start(t, Options{Ephemeral: true, Addr: taken.Addr().String()})
		_, got, _ := net.SplitHostPort(b.Addr())
		if n, _ := strconv.Atoi(got); !b.Moved() || n <= port || n >= port+triedPorts {
			t.Errorf("it listens on %s", b.Addr())
		}
		if want := taken.Addr().String() + " is taken, so the dev broker listens on " + b.Addr(); b.Note() != want {
			t.Errorf("note %q, want %q", b.Note(), want)
		}
		produce(t, client(t, b.Addr()), "t", "a")
	})
	t.Run("not taken", func(t *testing.T) {
		b := start(t, Options{Ephemeral: true})
		if b.Moved() || b.Note() != "" {
			t.Errorf("moved: %q", b.Note())
		}
	})
	t.Run("every address", func(t *testing.T) {
		b := start(t, Options{Ephemeral: true, Addr: "0.0.0.0:0"})
		if host, _, _ := net.SplitHostPort(b.Addr()); host != "localhost" {
			t.Errorf("advertised as %s", b.Addr())
		}
		produce(t, client(t, b.Addr()), "t", "a")
	})
	t.Run("advertised", func(t *testing.T) {
		b := start(t, Options{Ephemeral: true, Advertised: "broker.example:19092"})
		equal(t, b.Addr(), "broker.example:19092")
		meta, err := kadm.NewClient(client(t, b.listener.inner.Addr().String())).BrokerMetadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, meta.Brokers[0].Host+":"+strconv.Itoa(int(meta.Brokers[0].Port)), "broker.example:19092")
	})
	t.Run("advertised host only", func(t *testing.T) {
		b := start(t, Options{Ephemeral: true, Advertised: "broker.example"})
		_, port, _ := net.SplitHostPort(b.listener.inner.Addr().String())
		equal(t, b.Addr(), "broker.example:"+port)
	})
}

// TestForeignBytes sends what is not Kafka's and wants the broker to live.
func TestForeignBytes(t *testing.T) {
	b := start(t, Options{Ephemeral: true})
	for _, row := range []struct{ name, bytes string }{
		{"http", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		{"unknown key", "\x00\x00\x00\x0a\x7f\xff\x00\x00\x00\x00\x00\x00\xff\xff"},
		{"negative length", "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"short frame", "\x00\x00\x00\x02\x00\x12\x00\x00\x00\x00\x00\x00"},
		{"truncated body", "\x00\x00\x00\x0a\x00\x03\x00\x0c\x00\x00\x00\x00\xff\xff"},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", b.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte(row.bytes)); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection was not closed: %v", err)
			}
		})
	}
	produce(t, client(t, b.Addr()), "t", "a")
}

func TestCloseTwiceAndBounded(t *testing.T) {
	b := start(t, Options{Ephemeral: true})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// Whichever of the two is seen first is fine, an error must be the context's.
	if err := b.Close(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	stop(t, b)
	stop(t, b)
	if conn, err := net.Dial("tcp", b.Addr()); err == nil {
		conn.Close()
		t.Error("a closed broker takes connections")
	}
}
