// Package probe holds connectors for trying out a worker: a data generator, a
// sink that checks sequences, faults on demand in both, and the test connectors
// that Kafka's own system tests use. It imports connectors, codec/data and
// codec/configdef.
//
// The connectors of one [Probe] share its counters, so that a test in the same
// process can ask what a sink has seen, and so that a fault that is to happen once
// does not happen again in the task's next incarnation.
package probe

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Probe is a set of connectors with what they share. It is safe for concurrent
// use.
type Probe struct {
	node, boot string // in record headers

	mu      sync.Mutex
	out     io.Writer
	faults  map[string]int // how often each has happened, by connector, task and place
	stats   map[string]map[int]*sequence
	ballast [][]byte

	released chan struct{}
	release  sync.Once
}

// New returns a Probe whose Kafka test connectors print to out.
func New(out io.Writer) *Probe {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return &Probe{
		node: fmt.Sprintf("%s:%d", host, os.Getpid()), boot: hex.EncodeToString(id[:]), out: out,
		faults: make(map[string]int), stats: make(map[string]map[int]*sequence), released: make(chan struct{}),
	}
}

// Plugins returns the connectors of a new Probe that prints to standard output.
func Plugins() []connectors.Plugin { return New(os.Stdout).Plugins() }

// Boot returns the id in the header probe.boot, which differs from process to
// process.
func (p *Probe) Boot() string { return p.boot }

// Release ends everything that hangs or leaks on demand, and frees the memory that
// was taken. A test calls it at its end.
func (p *Probe) Release() {
	p.release.Do(func() { close(p.released) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ballast = nil
}

// print writes one line. Lines of several tasks do not mix.
func (p *Probe) print(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.out.Write(append(line, '\n')) // a test that no longer listens must not fail the task
}

// Plugins returns the connectors.
func (p *Probe) Plugins() []connectors.Plugin {
	source := func(class, taskClass, v string, def func() *configdef.Def, c func() connectors.Connector, t func() connectors.SourceTask) connectors.Plugin {
		return connectors.Plugin{Class: class, Kind: connectors.SourceKind, Version: v, Def: def, TaskClass: taskClass, NewConnector: c, NewSourceTask: t}
	}
	sink := func(class, taskClass, v string, def func() *configdef.Def, c func() connectors.Connector, t func() connectors.SinkTask) connectors.Plugin {
		return connectors.Plugin{Class: class, Kind: connectors.SinkKind, Version: v, Def: def, TaskClass: taskClass, NewConnector: c, NewSinkTask: t}
	}
	const tools = "org.apache.kafka.connect.tools."
	perTask := func() connectors.Connector { return &numberedConnector{} }
	return []connectors.Plugin{
		source("troupe.probe.ProbeSourceConnector", "troupe.probe.ProbeSourceTask", connectors.TroupeVersion, sourceDef,
			func() connectors.Connector { return &Connector{p: p} },
			func() connectors.SourceTask { return &SourceTask{p: p} }),
		sink("troupe.probe.ProbeSinkConnector", "troupe.probe.ProbeSinkTask", connectors.TroupeVersion, sinkDef,
			func() connectors.Connector { return &Connector{p: p, sink: true} },
			func() connectors.SinkTask { return &SinkTask{p: p} }),
		source(tools+"VerifiableSourceConnector", tools+"VerifiableSourceTask", connectors.KafkaVersion, verifiableSourceDef, perTask,
			func() connectors.SourceTask { return &verifiableSource{p: p} }),
		sink(tools+"VerifiableSinkConnector", tools+"VerifiableSinkTask", connectors.KafkaVersion, configless, perTask,
			func() connectors.SinkTask { return &verifiableSink{p: p} }),
		source(tools+"SchemaSourceConnector", tools+"SchemaSourceTask", connectors.KafkaVersion, configless, perTask,
			func() connectors.SourceTask { return &schemaSource{p: p} }),
		source(tools+"MockSourceConnector", tools+"MockSourceTask", connectors.KafkaVersion, mockDef,
			func() connectors.Connector { return &mockConnector{} },
			func() connectors.SourceTask { return &mockSource{} }),
		sink(tools+"MockSinkConnector", tools+"MockSinkTask", connectors.KafkaVersion, mockDef,
			func() connectors.Connector { return &mockConnector{} },
			func() connectors.SinkTask { return &mockSink{} }),
	}
}

func configless() *configdef.Def { return configdef.New() }

func parse(def *configdef.Def, config map[string]string) (*configdef.Values, error) {
	v, err := def.Parse(config)
	if err != nil {
		return nil, connectors.ConfigError("%s", err)
	}
	return v, nil
}
