package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// startTimeout bounds one start of the broker: 3 s on an idle machine,
	// many times that when every core is busy with other tests.
	startTimeout = 2 * time.Minute
	// stopGrace is what the broker gets to close its logs before it is killed.
	stopGrace = 30 * time.Second
	// startAttempts is how often new ports are tried when another process took
	// one between our look and the broker's bind.
	startAttempts = 3
	// pollEvery is the pause between two looks at something that is starting.
	pollEvery = 50 * time.Millisecond
	// tailLines is how much of a log an error carries.
	tailLines = 40
)

// clusterID is any 16 bytes in URL-safe base64, as KRaft wants it.
const clusterID = "dHJvdXBlLWthZmthdGVzdA"

// Option changes how a broker is started.
type Option func(*brokerOptions)

type brokerOptions struct {
	props map[string]string
	jvm   []string
}

// WithProperty sets one key of server.properties.
func WithProperty(key, value string) Option {
	return func(o *brokerOptions) { o.props[key] = value }
}

// WithJVM replaces the java options, which suit short tests: a small heap and
// the quick compiler alone.
func WithJVM(args ...string) Option {
	return func(o *brokerOptions) { o.jvm = args }
}

// Broker is one Apache Kafka broker, which is its own controller, on a free
// port of 127.0.0.1. Stop, Kill, Restart and Close belong to one goroutine.
type Broker struct {
	addr string

	// The rest is empty for a broker that runs elsewhere ([EnvBroker]).
	dist        Dist
	dir         string // of this broker alone; removed by Close
	jvm         []string
	proc        *Process
	fromOutside bool
}

// Run starts a broker and returns when it answers. The caller closes it.
func Run(ctx context.Context, opts ...Option) (*Broker, error) {
	dist, err := Fetch(ctx)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		b, err := runOnce(ctx, dist, opts)
		if err == nil {
			return b, nil
		}
		if attempt == startAttempts || !strings.Contains(err.Error(), "BindException") {
			return nil, err
		}
	}
}

func runOnce(ctx context.Context, dist Dist, opts []Option) (_ *Broker, err error) {
	dir, err := os.MkdirTemp("", "kafkatest-")
	if err != nil {
		return nil, fmt.Errorf("making the broker's directory: %w", err)
	}
	b := &Broker{dist: dist, dir: dir}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	b.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	controller := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1]))
	o := brokerOptions{
		props: map[string]string{
			"process.roles":                                    "broker,controller",
			"node.id":                                          "1",
			"controller.quorum.voters":                         "1@" + controller,
			"listeners":                                        "PLAINTEXT://" + b.addr + ",CONTROLLER://" + controller,
			"advertised.listeners":                             "PLAINTEXT://" + b.addr,
			"controller.listener.names":                        "CONTROLLER",
			"listener.security.protocol.map":                   "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
			"log.dirs":                                         filepath.Join(dir, "data"),
			"offsets.topic.replication.factor":                 "1",
			"offsets.topic.num.partitions":                     "5", // 50 make the first group wait
			"transaction.state.log.num.partitions":             "5",
			"transaction.state.log.replication.factor":         "1",
			"transaction.state.log.min.isr":                    "1",
			"share.coordinator.state.topic.replication.factor": "1",
			"share.coordinator.state.topic.min.isr":            "1",
			"group.initial.rebalance.delay.ms":                 "0",
			"log.cleaner.dedupe.buffer.size":                   "8388608", // 128 MB of heap by default
		},
		jvm: []string{"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"},
	}
	for _, opt := range opts {
		opt(&o)
	}
	b.jvm = o.jvm
	if err := WriteProperties(b.file("server.properties"), o.props); err != nil {
		return nil, err
	}
	if err := os.WriteFile(b.file("log4j2.properties"), []byte(log4jProperties), 0o644); err != nil {
		return nil, fmt.Errorf("writing the broker's logging settings: %w", err)
	}
	if err := b.format(ctx); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// log4jProperties prints to standard output, which is the log file.
const log4jProperties = `rootLogger.level=INFO
rootLogger.appenderRefs=stdout
rootLogger.appenderRef.stdout.ref=STDOUT
appender.console.name=STDOUT
appender.console.type=Console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
`

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

// format writes the cluster's identity into the data directory.
func (b *Broker) format(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.dist.Java, "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile="+b.file("log4j2.properties"), "-cp", b.dist.ClassPath(),
		"kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", b.file("server.properties"))
	cmd.SysProcAttr = dieWithParent()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("formatting the broker's storage: %w\n%s", err, out)
	}
	return nil
}

func (b *Broker) start(ctx context.Context) error {
	args := append([]string{}, b.jvm...)
	args = append(args, "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+b.file("log4j2.properties"),
		"-cp", b.dist.ClassPath(), "kafka.Kafka", b.file("server.properties"))
	proc, err := StartProcess(ProcessSpec{Path: b.dist.Java, Args: args, Dir: b.dir, LogFile: b.file("broker.log")})
	if err != nil {
		return err
	}
	b.proc = proc
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := b.waitReady(ctx); err != nil {
		proc.Kill()
		return fmt.Errorf("starting the broker: %w; the end of its log:\n%s", err, proc.Tail(tailLines))
	}
	return nil
}

// waitReady waits until the broker names itself in its metadata, which it does
// once the controller let it in.
func (b *Broker) waitReady(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.DialTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("making a client for %s: %w", b.addr, err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	var ended <-chan struct{}
	if b.proc != nil {
		ended = b.proc.Done()
	}
	return poll(ctx, ended, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.addr)
		if err != nil {
			return err // cheaper than the client's own backoff
		}
		_ = conn.Close()
		md, err := admin.BrokerMetadata(ctx)
		if err == nil && len(md.Brokers) == 0 {
			err = errors.New("its metadata names no broker yet")
		}
		return err
	})
}

// poll calls try until it returns nil. It ends early with ctx, or when the
// process behind ended is gone. Each try gets 5 s.
func poll(ctx context.Context, ended <-chan struct{}, try func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errors.New("the process ended")
		case <-ctx.Done():
			return fmt.Errorf("%w; last try: %w", ctx.Err(), err)
		}
	}
}

// Addr is the broker's host:port, for bootstrap.servers.
func (b *Broker) Addr() string { return b.addr }

// PID is the broker's process id, 0 when it runs elsewhere.
func (b *Broker) PID() int {
	if b.proc == nil {
		return 0
	}
	return b.proc.PID()
}

// LogFile is where the broker's output is, empty when it runs elsewhere.
func (b *Broker) LogFile() string {
	if b.proc == nil {
		return ""
	}
	return b.proc.LogFile()
}

// ErrOutside refuses to stop a broker that somebody else started.
var ErrOutside = errors.New("the broker was started elsewhere (" + EnvBroker + "); use Start for one to stop or kill")

// Stop shuts the broker down in order. Ports and data stay for Restart.
func (b *Broker) Stop() error {
	if b.fromOutside {
		return ErrOutside
	}
	return b.proc.Stop(stopGrace)
}

// Kill ends the broker as kill -9 does.
func (b *Broker) Kill() error {
	if b.fromOutside {
		return ErrOutside
	}
	b.proc.Kill()
	return nil
}

// Restart stops the broker if it still runs, starts it with the same ports and
// data, and returns when it answers.
func (b *Broker) Restart(ctx context.Context) error {
	if b.fromOutside {
		return ErrOutside
	}
	if b.proc.Running() {
		if err := b.Stop(); err != nil {
			return err
		}
	}
	return b.start(ctx)
}

// Close kills the broker and removes its data. A second call does nothing.
func (b *Broker) Close() {
	if b.fromOutside {
		return
	}
	if b.proc != nil {
		b.proc.Kill()
	}
	// What could not be removed is in the system's temporary directory, and
	// the process is gone: nothing that a caller could do about it.
	_ = os.RemoveAll(b.dir)
}

// FreePorts finds n ports of 127.0.0.1 that are free now. Another process may
// take one before you do.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // held until all are found, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
