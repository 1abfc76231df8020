package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/group"
)

// A unit that takes its node down would take down one after the other. Which one it
// was cannot be seen from outside, so suspicion is kept in the log: a node's death is
// held against the units that it had started last. They start again one at a time on
// each node and are watched for a while; a death then is held against those that were
// watched. With deaths on two nodes, or three in all, a unit is quarantined.
//
// Nodes die for reasons of their own as well, two of them within a minute at times. A
// node that is started again can tell more than the others can see: it says of its
// former life how that ended, and what a unit cannot have done is struck off again,
// quarantine that rested on it included.

const (
	// sameStart is how close to the last start of a node another one counts as last too.
	sameStart = 2 * time.Second
	// longestWatch: units that lived longer before the death are not watched, since
	// waiting for each would keep innocent work away for too long.
	longestWatch = 5 * time.Second
	// keptDeaths is how long a death is remembered.
	keptDeaths = 10 * time.Minute

	maxDeaths     = 3
	maxDeathNodes = 2
	// manyKills in a row are no chance any more, though each looks like a kill from
	// outside: of twenty units that are killed together again and again, and placed
	// anew on two nodes, hardly one meets so many.
	manyKills = 10
)

// blame notes the deaths of this round in the entries of the units that are suspected.
// Only what was started while this node lived counts: a node that is alone and is
// started again, or nodes that lose their power together, have nobody to say that it
// was a unit that did it, and nobody to be protected.
func (r *round) blame() {
	dead := make(map[string][]assign.Unit) // by member id
	self, _ := r.st.Peer(r.st.Member)
	began := self.Since
	for u, e := range r.log {
		if _, alive := r.live[e.Member]; alive || e.Member == "" || e.State != assign.Assigned && e.State != assign.Revoking {
			continue
		}
		if d := r.drains[e.Node].Drain; d != "" && d == group.BootOf(e.Member) || r.c.QuarantineWindow <= 0 {
			continue // it had said that it was leaving
		}
		if e.At < began {
			continue // this node has not seen it die: it may have been away with it
		}
		dead[e.Member] = append(dead[e.Member], u)
	}
	for member, units := range dead {
		boot := group.BootOf(member)
		if r.lingers[member] {
			continue
		}
		died := r.now
		if at, ok := r.gone[member]; ok {
			died = at
		}
		var suspects []assign.Unit
		for _, u := range units {
			if r.watched(r.log[u], died) {
				suspects = append(suspects, u)
			}
		}
		if len(suspects) == 0 {
			last := int64(0)
			for _, u := range units {
				last = max(last, r.began(u, r.log[u]))
			}
			for _, u := range units {
				at := time.UnixMilli(r.began(u, r.log[u]))
				if died.Sub(at) <= r.c.QuarantineWindow && time.UnixMilli(last).Sub(at) <= sameStart {
					suspects = append(suspects, u)
				}
			}
		}
		charged := make(map[assign.Unit]assign.Entry)
		found := false
		for _, u := range suspects {
			e := r.log[u]
			before := func(d assign.Death) bool { return d.Boot == boot } // it was taken for dead then
			e.Deaths = r.unexplained(append(slices.DeleteFunc(slices.Clone(e.Deaths), before),
				assign.Death{Node: e.Node, Boot: boot, At: died.UnixMilli(), Lived: died.UnixMilli() - r.began(u, e)}))
			charged[u] = e
			found = found || r.guilty(e.Deaths)
		}
		if len(charged) > 0 {
			r.c.Logger.Warn("a node died soon after it had started these", "node", r.log[suspects[0]].Node, "units", some(suspects))
		}
		for u, e := range charged {
			if !found || r.guilty(e.Deaths) { // with a culprit the death is explained
				r.log[u] = e
			}
		}
	}
}

// some names units for a line of the log.
func some(units []assign.Unit) string {
	const most = 10
	names := make([]string, 0, len(units))
	for _, u := range units {
		names = append(names, u.String())
	}
	slices.Sort(names)
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

// began is when a unit was started with the configuration that it has, in ms since the
// epoch. A live move does not make it new: it has shown for longer what it does.
func (r *round) began(u assign.Unit, e assign.Entry) int64 {
	at := cmp.Or(e.Since, e.At)
	offset, written := r.snap.ConfigOffset(u.Connector), r.snap.ConfigTime(u.Connector)
	if u.Task >= 0 {
		offset, written = r.snap.TasksOffset(u.Connector), r.snap.TasksTime(u.Connector)
	}
	if offset >= e.Config {
		at = max(at, written.UnixMilli())
	}
	return at
}

// testimony takes up what nodes say of their former lives, and has the deaths that are
// held against nobody any more forgotten in this round's view of the log.
func (r *round) testimony() {
	c := r.c // what it remembers is of the deciding goroutine, of which there is one
	for _, p := range r.st.Peers {
		for _, l := range p.Lives {
			since := r.now
			if known, ok := c.lives[l.Boot]; ok {
				since = known.since
			}
			c.lives[l.Boot] = life{l.End, since, r.now}
		}
	}
	for _, p := range r.live {
		r.alive[p.Boot] = true
	}
	maps.DeleteFunc(c.lives, func(_ string, l life) bool { return r.now.Sub(l.heard) > keptDeaths })
	for u, e := range r.log {
		if len(e.Deaths) > 0 {
			if e.Deaths = r.unexplained(e.Deaths); e.State != assign.Quarantined { // that does not end with time
				e.Deaths = r.recent(e.Deaths)
			}
			r.log[u] = e
		}
	}
}

// life is what has been heard of the end of a node's life, and when first and last.
type life struct {
	end          group.End
	since, heard time.Time
}

// recent returns the deaths that are still remembered. The argument is changed.
func (r *round) recent(deaths []assign.Death) []assign.Death {
	return slices.DeleteFunc(deaths, func(d assign.Death) bool { return r.now.Sub(time.UnixMilli(d.At)) > keptDeaths })
}

// unexplained returns the deaths that nothing else explains, in memory of their own. A
// node that was taken for dead and is there again has not died. One that went without a
// word may have been ended by a unit that called exit; such a one does it soon after its
// start, as a rule, and only then is it held against the unit as any other.
func (r *round) unexplained(deaths []assign.Death) []assign.Death {
	out := slices.DeleteFunc(slices.Clone(deaths), func(d assign.Death) bool {
		end := r.c.lives[d.Boot].end
		return r.alive[d.Boot] || end == group.Rebooted || end == group.Ended
	})
	for i, d := range out {
		if r.c.lives[d.Boot].end == group.Killed && time.Duration(d.Lived)*time.Millisecond > longestWatch {
			out[i].Killed = true
		}
	}
	return out[max(0, len(out)-manyKills):]
}

// watch is how long a unit is watched after its next start; 0: not at all.
func watch(e assign.Entry) time.Duration {
	if len(e.Deaths) == 0 {
		return 0
	}
	last := e.Deaths[len(e.Deaths)-1]
	lived := time.Duration(last.Lived) * time.Millisecond
	if last.Killed || lived > longestWatch {
		return 0
	}
	return lived*3/2 + time.Second
}

// watched reports whether a unit is, or was at a time, under watch.
func (r *round) watched(e assign.Entry, at time.Time) bool {
	return e.State == assign.Assigned && at.Sub(time.UnixMilli(e.At)) < watch(e)
}

// guilty reports whether a unit has been there when too many nodes died.
func (r *round) guilty(deaths []assign.Death) bool {
	nodes, counted := make(map[string]bool), 0
	for _, d := range deaths {
		if !d.Killed {
			nodes[d.Node] = true
			counted++
		}
	}
	return len(nodes) >= maxDeathNodes || counted >= maxDeaths || len(deaths) >= manyKills && r.inARow(deaths)
}

// inARow reports whether no node has died between the first of some deaths and the last
// without being one of them, as far as this node knows: who kills nodes from outside
// does not care what runs there.
func (r *round) inARow(deaths []assign.Death) bool {
	own := make(map[string]bool)
	for _, d := range deaths {
		own[d.Boot] = true
	}
	another := func(boot string, at int64) bool {
		return !own[boot] && at > deaths[0].At && at < deaths[len(deaths)-1].At
	}
	for boot, l := range r.c.lives { // those that took no unit with them are not in the log
		if another(boot, l.since.UnixMilli()) {
			return false
		}
	}
	for _, e := range r.log {
		for _, d := range e.Deaths {
			if another(d.Boot, d.At) {
				return false
			}
		}
	}
	return true
}

// quarantine takes the guilty out of this round's work and says so in the log and in
// their statuses. A new configuration lets a unit out: a task once it has one of its own
// that was made from the connector's, since with the old one it would kill again.
func (r *round) quarantine() {
	for u, e := range r.log {
		switch {
		case e.State == assign.Quarantined && r.snap.ConfigOffset(u.Connector) >= e.Config && (u.Task < 0 || r.snap.TasksOffset(u.Connector) >= e.Config):
			delete(r.log, u) // as new
		case e.State == assign.Quarantined && !r.guilty(e.Deaths) && r.isWanted(u):
			e.State = assign.Waiting
			r.log[u] = e
			r.c.Logger.Info("a connector or task is no longer quarantined: the nodes that died have said why", "unit", u.String())
		case e.State == assign.Assigned || e.State == assign.Revoking:
			if _, alive := r.live[e.Member]; alive || !r.guilty(e.Deaths) || !r.isWanted(u) {
				continue
			}
			reason := quarantined(u, e.Deaths)
			rec := r.set(u, assign.Record{State: assign.Quarantined, Config: r.ranWith(u), Reason: reason, Deaths: e.Deaths})
			r.log[u] = assign.Entry{Record: rec}
			r.failed[u] = reason
			r.c.Logger.Error("a connector or task is not placed again", "unit", u.String(), "reason", reason)
		}
	}
}

// ranWith returns what the log is to say that a unit was quarantined on: what comes later
// in the config topic may let it out. A task whose connector has been configured anew, but
// has not made new tasks of that, died of the old configuration.
func (r *round) ranWith(u assign.Unit) int64 {
	if made := r.snap.TasksOffset(u.Connector); u.Task >= 0 && made < r.snap.ConfigOffset(u.Connector) {
		return made + 1
	}
	return r.snap.Offset()
}

func quarantined(u assign.Unit, deaths []assign.Death) string {
	var when []string
	for _, d := range deaths {
		when = append(when, fmt.Sprintf("%s at %s, %v after it was started there", d.Node, time.UnixMilli(d.At).UTC().Format(time.RFC3339), time.Duration(d.Lived)*time.Millisecond))
	}
	return fmt.Sprintf("org.apache.kafka.connect.errors.ConnectException: %s is quarantined: the nodes that ran it died (%s)\nIt is not started again until somebody restarts it or changes its configuration; the dead nodes' logs say what happened.", u, strings.Join(when, "; "))
}

// mayStart reports whether a unit may start on a node now: of those that are watched
// there is one at a time on each node.
func (r *round) mayStart(u assign.Unit, node string) bool {
	e := r.log[u]
	if watch(e) == 0 {
		return true
	}
	if r.watching == nil {
		r.watching = make(map[string]bool)
		for _, o := range r.log {
			if r.watched(o, r.now) {
				r.watching[o.Node] = true
				r.next = min(r.next, time.UnixMilli(o.At).Add(watch(o)).Sub(r.now)+time.Millisecond)
			}
		}
	}
	if !r.watching[node] {
		r.watching[node] = true
		r.next = min(r.next, watch(e)+time.Millisecond)
		return true
	}
	return false
}

// hold keeps a unit that may not start yet.
func (r *round) hold(u assign.Unit) {
	e := r.log[u]
	if e.State == assign.Waiting {
		return
	}
	r.set(u, assign.Record{State: assign.Waiting, Config: r.snap.Offset(), Deaths: e.Deaths,
		Reason: "a node died soon after it was started there, with others; they start again one at a time"})
}

// lift lets quarantined units of a connector start again. It reports whether there
// were any; on a node that does not lead it is an [Elsewhere].
func (c *Coordinator) lift(ctx context.Context, units ...Unit) (bool, error) {
	var recs []*kgo.Record
	for _, u := range units {
		if e, ok := c.Log.Unit(u); ok && e.State == assign.Quarantined {
			recs = append(recs, c.Log.UnitRecord(u, nil))
		}
	}
	if len(recs) == 0 {
		return false, nil
	}
	return true, c.appendHere(ctx, recs...) // what is read back has the leader decide
}
