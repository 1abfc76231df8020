package cluster_test

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// exorcist ends the sessions that kfake forgets to end: it starts a member's session
// with the answer to its JoinGroup, and not at all when that answer finds the
// connection gone. Apache Kafka starts it whether the answer arrives or not. Such a
// member is taken out as long after it was last alive as Kafka would.
type exorcist struct {
	w     *world
	cl    *kgo.Client
	since map[string]time.Time // by member id: since when nobody goes by it
	quit  chan struct{}
	done  chan struct{}
}

func newExorcist(w *world) (*exorcist, error) {
	end := w.kafkaNet.Endpoint()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.broker.Addr()), kgo.Dialer(end.DialContext))
	if err != nil {
		return nil, err
	}
	x := &exorcist{w: w, cl: cl, since: make(map[string]time.Time), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(x.done)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case <-x.quit:
				cl.Close()
				_ = end.Shutdown()
				return
			case <-t.C:
				x.look()
			}
		}
	}()
	return x, nil
}

func (x *exorcist) stop() {
	close(x.quit)
	<-x.done
}

func (x *exorcist) look() {
	nodes := x.w.nodes()
	here, listed := make(map[string]bool), make(map[string]bool)
	for _, n := range nodes {
		if n.answers() {
			st := n.member.State()
			here[st.Member] = true
			for _, p := range st.Peers {
				listed[p.Member] = true
			}
		}
	}
	for m := range x.since {
		if here[m] || !listed[m] {
			delete(x.since, m)
		}
	}
	for m := range listed {
		if here[m] {
			continue
		}
		since, ok := x.since[m]
		if !ok {
			x.since[m] = time.Now()
		} else if time.Since(since) > chaosSession {
			x.end(m)
		}
	}
}

func (x *exorcist) end(member string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = chaosGroup
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = member
	req.Members = append(req.Members, m)
	_, _ = req.RequestWith(ctx, x.cl) // one that is not there any more is none to end
}
