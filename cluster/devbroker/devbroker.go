// Package devbroker is the Kafka broker that lives in the process of `troupe
// dev`: franz-go's kfake on a data directory, with what kfake leaves open closed
// here. It may import franz-go; only main imports it.
//
// What is closed here: one process a directory (lock_unix.go), transactions that
// a crash left open (recover.go), topics that their first use creates
// (autocreate.go), names that no topic may have (names.go), where it listens and what it calls itself (listener.go), bytes
// on the port that are not Kafka's (guard.go), errors that are only logged (log.go).
package devbroker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// DefaultAddr is where the broker listens unless it is told otherwise.
const DefaultAddr = "127.0.0.1:9092"

// Options say how to run a broker. They are not changed after [Start].
type Options struct {
	// Dir is the data directory; it is created if need be. Without one the
	// broker is ephemeral.
	Dir string
	// Ephemeral puts the data into a new temporary directory that Close
	// removes. Dir must be empty.
	Ephemeral bool

	// Addr is the host and port to listen on, [DefaultAddr] if empty. If the
	// port is taken, the next free one is used; port 0 is any free one.
	Addr string
	// Advertised is the host, or host:port, that clients are told to connect to.
	// If empty it is the address that the broker listens on, or localhost when
	// that is every address of the machine. Without a port it is the port that
	// the broker listens on.
	Advertised string

	// Partitions is how many a topic gets that is created by its first use, or
	// without a number; 1 if 0.
	Partitions int
	// SyncWrites makes every append wait for the disk. Without it a crash of the
	// process loses nothing, a crash of the machine may.
	SyncWrites bool

	// Logger gets errors, and everything else that the broker says at debug. Nil
	// is silent.
	Logger *slog.Logger
}

// Broker is a running broker. Its methods may be called from any goroutine.
type Broker struct {
	cluster  *kfake.Cluster
	private  *kgo.Client // of the broker itself, not through the port
	cancel   context.CancelFunc
	listener *listener
	logger   *clusterLogger
	lock     *dirLock
	dir      string
	asked    string
	remove   bool // the directory goes with the broker

	closing sync.Once
	closed  chan struct{}
	err     error // valid after closed
}

// Names in the data directory. kfake has a directory of its own below it.
const (
	lockFile    = "lock"
	cleanFile   = "clean-shutdown"
	clusterDir  = "data"
	clusterMeta = "meta.json" // in clusterDir; kfake writes it first
)

// Start opens the data directory, mends what a crash left in it and listens.
// Clients are answered once it has returned. ctx bounds the start only; the
// caller must call Close.
//
// Errors name the directory or the address. One of them is [ErrLocked].
func Start(ctx context.Context, o Options) (_ *Broker, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Addr == "" {
		o.Addr = DefaultAddr
	}
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	b := &Broker{dir: o.Dir, asked: o.Addr, logger: &clusterLogger{to: o.Logger}, closed: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = b.release()
		}
	}()
	if err := b.openDir(o); err != nil {
		return nil, err
	}
	clean, err := b.takeCleanMarker()
	if err != nil {
		return nil, fmt.Errorf("opening the dev broker's directory %s: %w", b.dir, err)
	}
	if b.listener, err = listen(o.Addr, o.Advertised); err != nil {
		return nil, fmt.Errorf("starting the dev broker: %w", err)
	}
	data := filepath.Join(b.dir, clusterDir)
	if !clean {
		if err := dropUnstableSnapshots(data); err != nil {
			return nil, fmt.Errorf("recovering the dev broker's directory %s: %w", b.dir, err)
		}
	}
	if b.cluster, err = kfake.NewCluster(b.clusterOptions(o, data)...); err != nil {
		return nil, fmt.Errorf("opening the dev broker's directory %s: %w", b.dir, err)
	}
	// The name is never looked up: dialPrivate needs none.
	if b.private, err = kgo.NewClient(kgo.SeedBrokers("dev-broker:9092"), kgo.Dialer(b.listener.dialPrivate), kgo.DisableClientMetrics()); err != nil {
		return nil, fmt.Errorf("starting the dev broker: %w", err)
	}
	if !clean {
		n, err := abortOpenTransactions(ctx, b.private)
		if err != nil {
			return nil, fmt.Errorf("recovering the dev broker's directory %s: %w", b.dir, err)
		}
		o.Logger.Info("dev broker was not shut down cleanly", "dir", b.dir, "aborted_transactions", n)
	}
	lifetime, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.listener.beforeMetadata = autoCreate(lifetime, kadm.NewClient(b.private), o.Logger)
	b.listener.refuse = refuseNames(b.cluster)
	b.listener.open()
	return b, nil
}

func (b *Broker) openDir(o Options) error {
	if o.Ephemeral && o.Dir != "" {
		return fmt.Errorf("starting the dev broker: a directory (%s) makes no sense for an ephemeral broker", o.Dir)
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "troupe-dev-")
		if err != nil {
			return fmt.Errorf("creating the dev broker's temporary directory: %w", err)
		}
		b.dir, b.remove = dir, true
	} else if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("creating the dev broker's directory %s: %w", o.Dir, err)
	}
	lock, err := lockDir(b.dir)
	if err != nil {
		return err
	}
	b.lock = lock
	return nil
}

// takeCleanMarker removes the marker of a clean shutdown, so that a crash from
// now on is noticed. It reports whether there is nothing to recover.
func (b *Broker) takeCleanMarker() (bool, error) {
	if _, err := os.Stat(filepath.Join(b.dir, clusterDir, clusterMeta)); errors.Is(err, fs.ErrNotExist) {
		return true, nil // never used
	}
	err := os.Remove(filepath.Join(b.dir, cleanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncDir(b.dir)
}

func (b *Broker) clusterOptions(o Options, data string) []kfake.Opt {
	versions := kversion.Stable()
	// Java's AdminClient trips over kfake's answers to these two: CreateTopics
	// from version 5 (configs without a source) and DescribeTopicPartitions.
	versions.SetMaxKeyVersion(19, 4)
	versions.SetMaxKeyVersion(75, -1)
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(data),
		kfake.ClusterID(newClusterID()), // of a new directory; an old one keeps its own
		kfake.DefaultNumPartitions(o.Partitions),
		kfake.MaxVersions(versions),
		kfake.ListenFn(b.listener.take),
		kfake.WithLogger(b.logger),
		kfake.BrokerConfigs(map[string]string{
			// Compaction once a minute, as the config topic of a worker under
			// development wants it; kfake's default is an hour.
			"log.cleaner.backoff.ms": "60000",
			// Java's consumers of KIP-848 learn of a rebalance with a heartbeat,
			// which would be 5 s away.
			"group.consumer.heartbeat.interval.ms": "500",
		}),
	}
	if o.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// newClusterID returns 16 random bytes in the form of Kafka's cluster ids.
func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never returns an error
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Addr returns the host:port that clients are told to connect to.
func (b *Broker) Addr() string { return b.listener.Addr().String() }

// Dir returns the data directory.
func (b *Broker) Dir() string { return b.dir }

// Moved reports whether the port that was asked for was taken, so that the
// broker listens on another.
func (b *Broker) Moved() bool { return b.listener.moved }

// Note says in a sentence where the broker listens instead of where it was asked
// to; it is empty unless Moved.
func (b *Broker) Note() string {
	if !b.Moved() {
		return ""
	}
	return fmt.Sprintf("%s is taken, so the dev broker listens on %s", b.asked, b.listener.inner.Addr())
}

// Close stops answering, writes what is in memory to the directory, marks it as
// cleanly shut down and lets go of it. An open transaction stays open and goes on
// after the next start.
//
// If ctx ends first, Close returns its error and the shutdown goes on by itself.
// Later calls wait for the same shutdown.
func (b *Broker) Close(ctx context.Context) error {
	b.closing.Do(func() {
		go func() {
			defer close(b.closed)
			b.err = b.shutdown()
		}()
	})
	select {
	case <-b.closed:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("closing the dev broker: %w", ctx.Err())
	}
}

func (b *Broker) shutdown() error {
	b.cancel()
	b.logger.collectErrors()
	b.cluster.Close()
	b.cluster = nil
	err := b.logger.collected()
	if err == nil && !b.remove {
		err = writeFile(filepath.Join(b.dir, cleanFile), nil)
	}
	if e := b.release(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("closing the dev broker's directory %s: %w", b.dir, err)
	}
	return nil
}

// release lets go of what a broker holds. After a failed start no marker of a
// clean shutdown is left, so that the next start recovers again.
func (b *Broker) release() error {
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.private != nil {
		b.private.Close()
	}
	if b.listener != nil {
		b.listener.shut()
	}
	var err error
	if b.remove {
		err = os.RemoveAll(b.dir)
	}
	if b.lock != nil {
		b.lock.unlock()
	}
	return err
}

// writeFile writes a file and waits for the disk to have it and its name.
func writeFile(path string, text []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

var _ net.Listener = (*listener)(nil)
