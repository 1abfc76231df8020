package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
)

// Names of the settings of faults.
const (
	faultKey      = "fault"
	faultInKey    = "fault.in"
	faultAfterKey = "fault.after"
	faultTimesKey = "fault.times"
	faultTaskKey  = "fault.task"
	faultBytesKey = "fault.bytes"
)

// The faults.
const (
	faultNone         = "none"
	faultPanic        = "panic"               // in the call
	faultPanicGo      = "panic-goroutine"     // on a goroutine of Context.Go
	faultPanicOwn     = "panic-own-goroutine" // on one of its own: ends the process
	faultHang         = "hang"                // the call does not return, whatever its context says
	faultLeak         = "leak"                // a goroutine of Context.Go does not end when its context does
	faultRetriable    = "retriable"
	faultError        = "error"
	faultExit         = "exit"   // the process exits with status 3
	faultMemory       = "memory" // fault.bytes more are held, with each call
	faultPoison       = "poison" // every fault.after-th record is one that cannot be taken
	faultExitStatus   = 3
	defaultFaultBytes = 64 << 20
)

// The calls in which a fault can happen.
const (
	inStart, inPoll, inPut, inFlush, inStop, inCommit = "start", "poll", "put", "flush", "stop", "commit"
	inTaskConfigs, inValidate, inOpen, inClose        = "taskConfigs", "validate", "open", "close"
	inPreCommit, inConnectorStart, inConnectorStop    = "preCommit", "connectorStart", "connectorStop"
)

func faultKeys(in string) []configdef.Key {
	return []configdef.Key{
		{Name: faultKey, Type: configdef.String, Default: faultNone, Importance: configdef.Low,
			Validator: configdef.OneOf(faultNone, faultPanic, faultPanicGo, faultPanicOwn, faultHang, faultLeak, faultRetriable, faultError, faultExit, faultMemory, faultPoison),
			Doc:       "What goes wrong on demand."},
		{Name: faultInKey, Type: configdef.String, Default: in, Importance: configdef.Low,
			Validator: configdef.OneOf(inStart, inPoll, inPut, inFlush, inStop, inCommit, inTaskConfigs, inValidate, inOpen, inClose, inPreCommit, inConnectorStart, inConnectorStop),
			Doc:       "The call in which it goes wrong."},
		{Name: faultAfterKey, Type: configdef.Int, Default: 0, Importance: configdef.Low, Validator: configdef.AtLeast(0),
			Doc: "How many such calls go well first, in each incarnation. With fault=poison: which records are bad, every how many; 0 is every one."},
		{Name: faultTimesKey, Type: configdef.Int, Default: 1, Importance: configdef.Low, Validator: configdef.AtLeast(0),
			Doc: "How often it goes wrong, over all incarnations in a process; 0 is always. It does not limit fault=poison."},
		{Name: faultTaskKey, Type: configdef.Int, Default: -1, Importance: configdef.Low,
			Doc: "The number of the task in which it goes wrong; -1 is every one."},
		{Name: faultBytesKey, Type: configdef.Long, Default: defaultFaultBytes, Importance: configdef.Low, Validator: configdef.AtLeast(0),
			Doc: "How much fault=memory takes with each call."},
	}
}

// faulter makes the calls of one connector or task go wrong.
type faulter struct {
	p            *Probe
	ctx          connectors.Context // nil before the start
	owner        string             // connector, or connector and task
	kind, in     string
	after, times int
	bytes        int64
	other        bool // another task is meant

	mu    sync.Mutex // commits come on a goroutine of their own
	calls int
}

// arm reads the settings of faults. task is -1 for a connector.
func (p *Probe) arm(v *configdef.Values, owner string, task int, ctx connectors.Context) *faulter {
	f := &faulter{p: p, ctx: ctx, owner: owner, kind: v.String(faultKey), in: v.String(faultInKey), after: v.Int(faultAfterKey),
		times: v.Int(faultTimesKey), bytes: v.Long(faultBytesKey)}
	if task >= 0 {
		f.owner = fmt.Sprintf("%s-%d", owner, task)
		f.other = v.Int(faultTaskKey) >= 0 && v.Int(faultTaskKey) != task
	}
	return f
}

// at is called at the start of each call; it may do anything but return nil.
func (f *faulter) at(call string) error {
	if f == nil || f.in != call || f.kind == faultNone || f.kind == faultPoison || f.other || !f.due() {
		return nil
	}
	text := fmt.Sprintf("probe: %s of %s: %s on demand", call, f.owner, f.kind)
	switch f.kind {
	case faultPanic:
		panic(text)
	case faultPanicGo:
		f.start(func(context.Context) error { panic(text) })
	case faultPanicOwn:
		go panic(text)
		<-f.p.released
	case faultHang:
		<-f.p.released
	case faultLeak:
		f.start(func(context.Context) error { <-f.p.released; return nil })
	case faultRetriable:
		return connectors.Retriable(errors.New(text))
	case faultError:
		return connectors.Errorf("%s", text)
	case faultExit:
		os.Exit(faultExitStatus)
	case faultMemory:
		f.p.take(f.bytes)
	}
	return nil
}

// start runs a goroutine that the worker knows of. Without a context, in
// Validate, there is none, and the fault happens in the call.
func (f *faulter) start(g func(context.Context) error) {
	if f.ctx == nil {
		_ = g(context.Background())
		return
	}
	f.ctx.Go(g)
}

// due counts the call, and says whether the fault happens in it.
func (f *faulter) due() bool {
	f.mu.Lock()
	f.calls++
	due := f.calls > f.after
	f.mu.Unlock()
	if !due || f.times == 0 {
		return due
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	key := f.owner + " " + f.in
	if f.p.faults[key] >= f.times {
		return false
	}
	f.p.faults[key]++
	return true
}

// poisons says whether record number n, from 1 on, is a bad one.
func (f *faulter) poisons(n int64) bool {
	return f.kind == faultPoison && !f.other && (f.after == 0 || n%int64(f.after) == 0)
}

// take holds n bytes more until Release.
func (p *Probe) take(n int64) {
	b := make([]byte, n)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1 // only pages that were written to count
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ballast = append(p.ballast, b)
}
