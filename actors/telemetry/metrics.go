package telemetry

import (
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/troupeio/troupe/actors/task"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/connectors"
)

// Work tells what runs on this node; [worker.Worker] does.
type Work interface {
	Tasks() []*worker.TaskInfo
	Connectors() []*worker.ConnectorInfo
}

// Config is what metrics are made of.
type Config struct {
	Work   Work
	Totals *worker.Totals
	// States is the worker's listener, which knows the states.
	States *States
	// Rebalance is the node's part in its group; nil when there is no group: the
	// metrics of rebalances are then left out, as in Kafka Connect's standalone mode.
	Rebalance func() Rebalance
	// Cluster is the node's part in a cluster; nil for a worker that is alone: its
	// metrics are then left out.
	Cluster func() Cluster
	// DeadLetters counts messages to actors that were gone, see [CountDeadLetters];
	// nil: 0.
	DeadLetters func() int64
	Extra       []Func // of other packages

	ClientID        string // "connect-<worker id>", or the configured client.id
	Version, Commit string // of Troupe
	Start           time.Time
	Log             *slog.Logger
}

// Rebalance is what a node tells of its group membership.
type Rebalance struct {
	Protocol    string // in upper case: SESSIONED
	Leader      string // REST URL of the leader; "" before there is one
	Epoch       int64  // generation of the group
	Completed   int64
	Rebalancing bool
	Last        time.Time    // end of the last rebalance; zero: there was none
	Time        *task.Timing // of rebalances; nil: not measured
}

// Cluster is what a node tells of its part in a cluster of ours.
type Cluster struct {
	Lease   time.Duration // left of its good standing; negative: lost for so long
	Members int           // of the last generation of the group
	Seen    int           // of those, seen alive by gossip, this node included
	Leads   bool          // this node leads
	Held    int           // connector instances and tasks that are assigned to this node

	Terms, Evictions, Evicted, Moves int64 // counts; the table says of what
}

// Func is a number of another package, such as the members seen by gossip. It has
// no labels. The name begins with troupe_.
type Func struct {
	Name, Help string
	Count      bool // only grows
	Value      func() float64
}

// Metrics exports a worker's numbers under the names that the JMX exporter's
// example for Kafka Connect gives them, and under troupe_* what Kafka Connect does
// not have. It has a registry of its own and is safe for concurrent use.
//
// There is one Metrics a worker: it takes the maxima away when it is read.
type Metrics struct {
	cfg   Config
	reg   *prometheus.Registry
	table []metric
	descs []*prometheus.Desc

	mu    sync.Mutex
	node  *window
	tasks map[*task.Metrics]*window
}

// NewMetrics returns the metrics of a worker, with those of the Go runtime and the
// process.
func NewMetrics(cfg Config) *Metrics {
	m := newCollector(cfg, prometheus.NewRegistry())
	m.reg.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func newCollector(cfg Config, reg *prometheus.Registry) *Metrics {
	m := &Metrics{cfg: cfg, reg: reg, table: table(), tasks: make(map[*task.Metrics]*window)}
	for _, f := range cfg.Extra {
		row := metric{name: f.Name, help: f.Help, count: f.Count, scope: ofNode, value: func(*view) float64 { return f.Value() }}
		m.table = append(m.table, row)
	}
	m.table = slices.DeleteFunc(m.table, func(r metric) bool {
		return !r.exported() || (cfg.Rebalance == nil && r.mbean == "connect-worker-rebalance-metrics") || (cfg.Cluster == nil && r.clustered)
	})
	for _, r := range m.table {
		m.descs = append(m.descs, prometheus.NewDesc(r.name, r.help, append(r.scope.labels(), r.extra...), nil))
	}
	m.node = newWindow(cfg.Start, make([]int64, nRebalanceTime+1), 1)
	return m
}

// Handler answers scrapes, in the Prometheus text format or in OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorLog: scrapeLog{m.cfg.Log}})
}

// scrapeLog writes the handler's errors to our log.
type scrapeLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) {
	if l.log != nil {
		l.log.Warn("answering a scrape", "err", v)
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range m.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	tasks, conns := m.cfg.Work.Tasks(), m.cfg.Work.Connectors()
	v := &view{cfg: &m.cfg, conns: len(conns), tasks: len(tasks), sinceLast: math.Inf(1)}
	m.readNode(v, now)
	if m.cfg.Cluster != nil {
		v.cluster = m.cfg.Cluster()
	}
	m.emit(ch, v, nil, ofNode)
	m.emit(ch, v, []string{m.cfg.ClientID}, ofClient)
	for _, c := range conns {
		v.conn, v.connState = c, m.cfg.States.Connector(c.Name)
		m.emit(ch, v, []string{c.Name}, ofConnector)
	}
	windows := make(map[*task.Metrics]*window, len(tasks))
	byConnector := make(map[string]map[string]int)
	for _, t := range tasks {
		m.readTask(v, t, now, windows)
		if byConnector[t.ID.Connector] == nil {
			byConnector[t.ID.Connector] = make(map[string]int)
		}
		byConnector[t.ID.Connector][""]++
		byConnector[t.ID.Connector][v.taskState]++
		scopes := []scope{ofTask}
		switch t.Kind {
		case connectors.SourceKind:
			scopes = append(scopes, ofSourceTask)
		case connectors.SinkKind:
			scopes = append(scopes, ofSinkTask)
		}
		m.emit(ch, v, []string{t.ID.Connector, strconv.Itoa(t.ID.Task)}, scopes...)
	}
	m.tasks = windows // those of tasks that are gone are forgotten
	for name, work := range byConnector {
		v.work = work
		m.emit(ch, v, []string{name}, ofConnectorWork)
	}
}

func (m *Metrics) readNode(v *view, now time.Time) {
	counts := make([]int64, nRebalanceTime+1)
	counts[nConnectorsUp], counts[nTasksUp] = m.cfg.States.connectorStarts.Load(), m.cfg.States.taskStarts.Load()
	counts[nConnectorsFailed], counts[nTasksFailed] = m.cfg.Totals.ConnectorStartFailures.Load(), m.cfg.Totals.TaskStartFailures.Load()
	maxima := []int64{0}
	if m.cfg.Rebalance != nil {
		v.rebalance = m.cfg.Rebalance()
		if !v.rebalance.Last.IsZero() {
			v.sinceLast = float64(now.Sub(v.rebalance.Last).Milliseconds())
		}
		if t := v.rebalance.Time; t != nil {
			counts[nRebalances], counts[nRebalanceTime] = t.Count.Load(), t.Sum.Load()
			maxima[0] = t.TakeMax()
		}
	}
	v.node = m.node.observe(now, counts, maxima)
}

func (m *Metrics) readTask(v *view, t *worker.TaskInfo, now time.Time, windows map[*task.Metrics]*window) {
	v.task, v.taskState = t, m.cfg.States.Task(t.ID)
	run, pause, born, heard := m.cfg.States.times(t.ID, now)
	if !t.Created.IsZero() {
		born = t.Created
	}
	v.runRatio, v.pauseRatio = 0, 0
	if life := now.Sub(born); heard && life > 0 {
		v.runRatio, v.pauseRatio = min(1, run.Seconds()/life.Seconds()), min(1, pause.Seconds()/life.Seconds())
	}
	counts := taskCounts(t.Metrics)
	w := m.tasks[t.Metrics]
	if w == nil {
		if born.IsZero() {
			w = newWindow(now, counts, taskMaxima) // of unknown age: from now on
		} else {
			w = newWindow(born, make([]int64, len(counts)), taskMaxima)
		}
	}
	windows[t.Metrics] = w
	v.win = w.observe(now, counts, takeTaskMaxima(t.Metrics))
}

// emit sends the metrics of some scopes, all with the same labels.
func (m *Metrics) emit(ch chan<- prometheus.Metric, v *view, labels []string, scopes ...scope) {
	for i := range m.table {
		r := &m.table[i]
		if !slices.Contains(scopes, r.scope) {
			continue
		}
		switch {
		case r.info != nil:
			for _, extra := range r.info(v) {
				m.send(ch, i, prometheus.GaugeValue, 1, slices.Concat(labels, extra))
			}
		case r.summary != nil:
			count, sum := r.summary(v)
			s, err := prometheus.NewConstSummary(m.descs[i], count, sum, nil, clean(labels)...)
			ch <- orInvalid(m.descs[i], s, err)
		default:
			kind := prometheus.GaugeValue
			if r.count {
				kind = prometheus.CounterValue
			}
			m.send(ch, i, kind, r.value(v), labels)
		}
	}
}

func (m *Metrics) send(ch chan<- prometheus.Metric, i int, kind prometheus.ValueType, value float64, labels []string) {
	s, err := prometheus.NewConstMetric(m.descs[i], kind, value, clean(labels)...)
	ch <- orInvalid(m.descs[i], s, err)
}

func orInvalid(d *prometheus.Desc, s prometheus.Metric, err error) prometheus.Metric {
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return s
}

// clean makes label values what the format can carry.
func clean(labels []string) []string {
	out := slices.Clone(labels)
	for i, l := range out {
		out[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return out
}

// CountDeadLetters counts, from now on until stop is called, the messages of an
// actor system whose receiver was gone.
func CountDeadLetters(sys *actor.ActorSystem) (count func() int64, stop func()) {
	var n atomic.Int64
	sub := sys.EventStream.Subscribe(func(e any) {
		if _, ok := e.(*actor.DeadLetterEvent); ok {
			n.Add(1)
		}
	})
	return n.Load, func() { sys.EventStream.Unsubscribe(sub) }
}
