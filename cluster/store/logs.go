package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// NewClient makes a Kafka client with the caller's options and then the given
// ones, which win. The caller's must have neither a group nor a transactional id,
// and should not have kgo.AllowAutoTopicCreation: a deleted topic would come back
// with the broker's settings.
type NewClient func(extra ...kgo.Opt) (*kgo.Client, error)

// Options are what [NewLogs] is made with.
type Options struct {
	Client NewClient
	// ReadUncommitted shows records of open and aborted transactions. Do not set it
	// unless Kafka Connect's own reading is to be imitated.
	ReadUncommitted bool
	// StartTimeout bounds creating and verifying topics; 60 s if zero, which is
	// Kafka's default.api.timeout.ms.
	StartTimeout time.Duration
	// WriteTimeout bounds each write of the config store, read-back included; 30 s
	// if zero, as in Kafka Connect.
	WriteTimeout time.Duration
	// Failed, if not nil, is told once when a topic can no longer be read, as when
	// it was deleted. Nothing that needs the topic will succeed any more. It must
	// not block.
	Failed func(error)
	Log    *slog.Logger
}

// Logs is one Kafka client that tails several compacted topics from their
// beginning and writes to them.
//
// One client for all of them, since a client costs some 100 KB, a connection and a
// round of requests each: three topics start in the time of one, and an idle node
// holds a single long poll open per broker.
//
// Make it, make the stores on it, then call Start.
type Logs struct {
	o    Options
	log  *slog.Logger
	cl   *kgo.Client
	logs []*topicLog

	started chan struct{} // closed by Start once positions are known

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// fetchWait is how long a broker may hold a fetch without data. It answers at once
// when data comes, so that this is not a latency but the idle pace.
const fetchWait = 500 * time.Millisecond

// Size of one fetch: what bounds memory while a large topic is read.
const (
	fetchBytes          = 4 << 20
	fetchPartitionBytes = 1 << 20
)

// NewLogs returns logs without topics: the stores add them.
func NewLogs(o Options) *Logs {
	if o.StartTimeout <= 0 {
		o.StartTimeout = time.Minute
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 30 * time.Second
	}
	s := &Logs{o: o, log: logger(o.Log), started: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// add tails one more topic. handle is called by the reading goroutine with the
// records of one poll, in order for each partition, without control records.
func (s *Logs) add(t Topic, handle func(recs []*kgo.Record)) *topicLog {
	l := &topicLog{logs: s, topic: t, handle: handle}
	s.logs = append(s.logs, l)
	return l
}

func (s *Logs) names() []string {
	out := make([]string, len(s.logs))
	for i, l := range s.logs {
		out[i] = l.topic.Name
	}
	return out
}

func (s *Logs) clientOptions() []kgo.Opt {
	isolation := kgo.ReadCommitted()
	if s.o.ReadUncommitted {
		isolation = kgo.ReadUncommitted()
	}
	return append(writeOptions(),
		kgo.FetchIsolationLevel(isolation),
		kgo.KeepRetryableFetchErrors(), // among them the deletion of a topic, which would else be retried in silence
		kgo.KeepControlRecords(),       // a transaction's last offset is a control record: without it positions would stop short
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
	)
}

// writeOptions are those of all clients that write to the topics.
func writeOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.MetadataMinAge(100 * time.Millisecond),
		// As Kafka Connect's producers: no idempotence, so that no further ACL is
		// needed and a write can be given up; order is kept by one request at a time.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.DisableIdempotentWrite(),
		kgo.MaxProduceRequestsInflightPerBroker(1),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerLinger(0),
	}
}

// Start makes the client, creates or verifies the topics, and returns when all of
// them have been read to their end, or to where a transaction is still open. A
// [*TopicError] says that a topic is unfit. After an error the logs must be stopped and not be started again.
func (s *Logs) Start(ctx context.Context) error {
	cl, err := s.o.Client(s.clientOptions()...)
	if err != nil {
		return fmt.Errorf("making the client of the internal topics: %w", err)
	}
	s.cl = cl
	tctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	found, err := s.ensureTopics(tctx)
	if err != nil {
		return err
	}
	return s.follow(ctx, tctx, found)
}

// follow reads the topics to their end, and goes on reading. tctx bounds what comes
// before the first record.
func (s *Logs) follow(ctx, tctx context.Context, found map[string]described) error {
	parts := make(map[string]int32, len(s.logs))
	consume := make(map[string]map[int32]kgo.Offset, len(s.logs))
	for _, l := range s.logs {
		d := found[l.topic.Name]
		l.id, l.partitions = d.id, d.partitions
		parts[l.topic.Name] = d.partitions
		ps := make(map[int32]kgo.Offset, d.partitions)
		for p := range d.partitions {
			ps[p] = kgo.NewOffset().AtStart()
		}
		consume[l.topic.Name] = ps
	}
	var begins, ends map[string][]int64
	var berr, eerr error
	var both sync.WaitGroup
	both.Go(func() { begins, berr = s.listUntil(tctx, parts, -2) })
	// What a dead leader has left open is not waited for: it ends when the next leader
	// takes the transactional id, and that may be this node.
	isolation := readCommitted
	if s.o.ReadUncommitted {
		isolation = readUncommitted
	}
	both.Go(func() { ends, eerr = s.listAs(tctx, parts, -1, isolation) })
	both.Wait()
	if err := errors.Join(berr, eerr); err != nil {
		return fmt.Errorf("reading the end offsets of the internal topics: %w", err)
	}
	for _, l := range s.logs {
		l.begin(begins[l.topic.Name], ends[l.topic.Name])
	}
	// Only now, when every partition has answered: a partition without a leader would
	// sit out the first fetch, which waits for data on the others.
	s.cl.AddConsumePartitions(consume)
	close(s.started)
	s.wg.Go(s.read)
	for _, l := range s.logs {
		if err := l.waitFor(ctx, ends[l.topic.Name]); err != nil {
			return fmt.Errorf("reading topic %s to its end: %w", l.topic.Name, err)
		}
	}
	return nil
}

// Stop closes the client and waits for the reading goroutine; it is to be called once
// Start has returned. What waits for Kafka returns with an error. Stop the status store
// first, so that its last records go out.
func (s *Logs) Stop() {
	s.cancel()
	for _, l := range s.logs {
		l.fail(kgo.ErrClientClosed, false) // from here on nobody starts a listing
	}
	for _, l := range s.logs {
		if l.appender != nil {
			l.appender.stop()
		}
	}
	if s.cl != nil {
		s.cl.Close()
	}
	s.wg.Wait()
}

// read is the reading goroutine.
func (s *Logs) read() {
	byName := make(map[string]*topicLog, len(s.logs))
	recs := make(map[*topicLog][]*kgo.Record, len(s.logs))
	for _, l := range s.logs {
		byName[l.topic.Name] = l
	}
	for {
		fetches := s.cl.PollFetches(s.ctx)
		if fetches.IsClientClosed() || s.ctx.Err() != nil {
			return
		}
		pause := false
		fetches.EachPartition(func(ft kgo.FetchTopicPartition) {
			l := byName[ft.Topic]
			if l == nil {
				return
			}
			if ft.Err != nil {
				l.fetchError(ft.Partition, ft.Err)
				pause = true
			}
			recs[l] = append(recs[l], ft.Records...)
		})
		for l, batch := range recs {
			l.took(batch)
			clear(batch)
			recs[l] = batch[:0]
			if cap(batch) > 1024 {
				delete(recs, l)
			}
		}
		if pause { // the client asks again at once
			select {
			case <-s.ctx.Done():
			case <-time.After(errorPause):
			}
		}
	}
}

// errorPause is how long reading rests after an error.
const errorPause = 50 * time.Millisecond

// fetchError judges an error that came in place of records.
func (l *topicLog) fetchError(partition int32, err error) {
	s := l.logs
	var loss *kgo.ErrDataLoss
	var ke *kerr.Error
	switch {
	case errors.As(err, &loss):
		s.log.Error("Kafka lost records of an internal topic", "topic", l.topic.Name, "partition", partition, "error", err)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		if l.checking.CompareAndSwap(false, true) {
			s.wg.Go(func() {
				defer l.checking.Store(false)
				l.checkDeleted()
			})
		}
	case errors.As(err, &ke) && !ke.Retriable:
		l.fail(fmt.Errorf("reading topic %s: partition %d: %w", l.topic.Name, partition, err), true)
	default:
		s.log.Debug("Reading an internal topic met an error; it is tried again", "topic", l.topic.Name, "partition", partition, "error", err)
	}
}

// checkDeleted fails the log if its topic is gone or is another one by now.
func (l *topicLog) checkDeleted() {
	ctx, cancel := context.WithTimeout(l.logs.ctx, 5*time.Second)
	defer cancel()
	found, err := describeTopics(ctx, l.logs.cl, []string{l.topic.Name})
	if err != nil || l.err() != nil {
		return
	}
	if d, ok := found[l.topic.Name]; !ok {
		l.fail(fmt.Errorf("reading topic %s: it was deleted", l.topic.Name), true)
	} else if d.id != l.id {
		l.fail(fmt.Errorf("reading topic %s: it was deleted and created anew", l.topic.Name), true)
	}
}
