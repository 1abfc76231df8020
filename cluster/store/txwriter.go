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

// TxWriter is the [Writer] of a leader: it writes in transactions under one
// transactional id, so that whoever takes the id later fences it. What waits while one
// transaction commits goes into the next together.
//
// After an error that leaves it open what was written, or that says that another has
// taken the id, it writes no more: [TxWriter.Failed] is closed, and a new one is to be
// made, which aborts what was open.
type TxWriter struct {
	cl  *kgo.Client
	id  string
	log *slog.Logger

	queue  chan *txWrite
	failed chan struct{}
	ctx    context.Context //nolint:containedctx // the writer's life
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu  sync.Mutex
	err error
}

type txWrite struct {
	recs []*kgo.Record
	done chan error // capacity 1
}

// Bounds of a leader's transactions.
const (
	txTimeout   = 10 * time.Second // of the coordinator, should nobody take the id over
	txDelivery  = 8 * time.Second
	txQueue     = 1024
	txMaxWrites = 512 // in one transaction
)

// ErrFenced says that another producer has taken the transactional id: this node leads
// no more.
var ErrFenced = errors.New("another leader has taken over")

// NewTxWriter takes the transactional id: from when it returns, whoever had it before
// can write no more, and what was left open is aborted.
func NewTxWriter(ctx context.Context, client NewClient, id string, log *slog.Logger) (*TxWriter, error) {
	cl, err := client(kgo.TransactionalID(id), kgo.TransactionTimeout(txTimeout), kgo.RecordDeliveryTimeout(txDelivery),
		kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ConcurrentTransactionsBackoff(5*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("making the leader's client: %w", err)
	}
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.Close()
		return nil, txError(id, err)
	}
	w := &TxWriter{cl: cl, id: id, log: logger(log), queue: make(chan *txWrite, txQueue), failed: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.wg.Go(w.run)
	return w, nil
}

// txError words the refusals that a user can do something about.
func txError(id string, err error) error {
	switch {
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fmt.Errorf("the transactional id %s is not allowed: grant WRITE and DESCRIBE on it to this worker's principal (kafka-acls --add --operation Write --operation Describe --transactional-id %s): %w", id, id, err)
	case fenced(err):
		return fmt.Errorf("%w (transactional id %s): %w", ErrFenced, id, err)
	}
	return fmt.Errorf("writing under the transactional id %s: %w", id, err)
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidProducerIDMapping)
}

// Atomic implements [Writer].
func (*TxWriter) Atomic() bool { return true }

// Failed is closed when the writer can write no more.
func (w *TxWriter) Failed() <-chan struct{} { return w.failed }

// Err returns why the writer failed.
func (w *TxWriter) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Write implements [Writer]: it returns once the records are committed, with their
// offsets set. When ctx ends first it is open whether they will be.
func (w *TxWriter) Write(ctx context.Context, recs ...*kgo.Record) error {
	tw := &txWrite{recs, make(chan error, 1)}
	select {
	case w.queue <- tw:
	case <-w.failed:
		return w.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-tw.done:
		return err
	case <-w.failed:
		select {
		case err := <-tw.done:
			return err
		default:
			return w.Err()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *TxWriter) run() {
	for {
		select {
		case <-w.ctx.Done():
			return
		case first := <-w.queue:
			batch := []*txWrite{first}
			for more := true; more && len(batch) < txMaxWrites; {
				select {
				case next := <-w.queue:
					batch = append(batch, next)
				default:
					more = false
				}
			}
			err := w.transact(batch)
			if err != nil {
				w.fail(err)
			}
			for _, tw := range batch {
				tw.done <- err
			}
			if err != nil {
				return
			}
		}
	}
}

// transact writes one transaction. Any error ends the writer: what can go wrong here
// (the broker away for long, a fence) needs the id to be taken anew anyway, and that
// aborts what was left open.
func (w *TxWriter) transact(batch []*txWrite) error {
	if err := w.cl.BeginTransaction(); err != nil {
		return txError(w.id, err)
	}
	var recs []*kgo.Record
	for _, tw := range batch {
		recs = append(recs, tw.recs...)
	}
	if err := w.cl.ProduceSync(w.ctx, recs...).FirstErr(); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 2*time.Second)
		defer cancel()
		if aerr := w.cl.EndTransaction(ctx, kgo.TryAbort); aerr != nil && !fenced(err) {
			w.log.Debug("aborting the leader's transaction", "err", aerr)
		}
		return txError(w.id, err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, txDelivery)
	defer cancel()
	if err := w.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return txError(w.id, err)
	}
	return nil
}

func (w *TxWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		close(w.failed)
	}
}

// errWriterClosed is what waits gets when a leader steps down.
var errWriterClosed = errors.New("this node leads no more")

// Close gives the writer up; what waits gets an error. The transaction that is open is
// aborted by whoever takes the id next.
func (w *TxWriter) Close() {
	w.fail(errWriterClosed)
	w.cancel()
	// First the client: a record that is on its way ends with neither its context nor
	// its delivery timeout while the broker does not answer.
	w.cl.Close()
	w.wg.Wait()
}
