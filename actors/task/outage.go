package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupeio/troupe/connectors"
)

// The client ends its session in the group at the first heartbeat that it cannot
// send, long before the group's coordinator gives the member up, and joins again by
// itself. Nothing of that ends an incarnation of the task: its partitions are closed
// and come back. What it has put since its last commit comes again only if the
// coordinator has given the member up, for then another one may have read on.

// lost is told by the client that its session is over. While the coordinator still
// knows the member the partitions are its own, and are given up like those of a
// rebalance: what was put is committed.
func (r *sinkRun) lost(cl *kgo.Client, m map[string][]int32) {
	kind := lost
	if len(m) > 0 && r.stillMember(cl) {
		kind = revoked
	}
	r.barrier(kind, m, true)
}

// memberPause is how long to wait before the coordinator is asked again.
const memberPause = 100 * time.Millisecond

// stillMember asks the group's coordinator whether it knows this member in this
// generation, until it answers or a session is over, after which it does not.
func (r *sinkRun) stillMember(cl *kgo.Client) bool {
	req := kmsg.NewPtrHeartbeatRequest()
	req.MemberID, req.Generation = cl.GroupMetadata()
	parts := r.parts.Load()
	req.Group = parts.Group
	if parts.Instance != "" {
		req.InstanceID = &parts.Instance
	}
	session, _ := cl.OptValue(kgo.SessionTimeout).(time.Duration)
	ctx, cancel := context.WithTimeout(r.pollCtx, session)
	defer cancel()
	for ctx.Err() == nil && req.MemberID != "" && r.allowed() {
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
			switch {
			case err == nil, errors.Is(err, kerr.RebalanceInProgress):
				return true
			case !kerr.IsRetriable(err): // a coordinator that moves or loads may know it later
				return false
			}
		}
		wait(ctx, memberPause)
	}
	return false
}

// groupRefuses reports whether the group's answer is one after which joining again is
// of no use, and the class of that failure.
func groupRefuses(err error) (connectors.Class, bool) {
	switch {
	case errors.Is(err, kerr.FencedInstanceID), // somebody else is this member now
		errors.Is(err, kerr.InconsistentGroupProtocol), // until all members speak one protocol
		errors.Is(err, kerr.GroupMaxSizeReached):
		return connectors.Transient, true
	case errors.Is(err, kerr.InvalidSessionTimeout), errors.Is(err, kerr.InvalidGroupID):
		return connectors.Configuration, true
	}
	return 0, false
}

// fetchErrors returns the first error of a poll that the client does not mend by
// itself.
func (r *sinkRun) fetchErrors(fs kgo.Fetches) error {
	var fatal error
	anew := false
	fs.EachError(func(topic string, p int32, err error) {
		if fatal != nil {
			return
		}
		class := connectors.Transient
		var dataLoss *kgo.ErrDataLoss
		var session *kgo.ErrGroupSession
		switch {
		case errors.As(err, &dataLoss):
			r.Log.Warn("records were deleted before they were read; going on from where the client was put", "topic", topic, "partition", p, "err", err)
			return
		case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.SaslAuthenticationFailed),
			errors.Is(err, kerr.InvalidTopicException):
			class = connectors.Configuration
		case errors.As(err, &session):
			var ends bool
			if class, ends = r.endsByGroup(err); !ends {
				return
			}
		case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return // closed, or a poll that a pause or a rewind cut short
		case errors.Is(err, kerr.UnknownTopicID) && r.recreated(topic):
			anew = true
			return
		case errors.Is(err, kerr.UnknownTopicID):
			class = connectors.Transient
		case kerr.IsRetriable(err), r.put.joined() && isNetwork(err):
			r.Log.Warn("reading from Kafka failed and is tried again", "topic", topic, "partition", p, "err", err)
			return
		}
		fatal = &connectors.Error{JavaClass: "org.apache.kafka.common.KafkaException", Class: class, Msg: fmt.Sprintf("consuming topic %s, partition %d", topic, p), Cause: err}
	})
	if anew && fatal == nil {
		wait(r.pollCtx, recreatedPause)
	}
	return fatal
}

// saidPause is how often a client's trouble with its group is logged.
const saidPause = 10 * time.Second

// endsByGroup reports whether the end of the client's session ends the incarnation,
// and with which class. A task that has not had a partition yet has nothing to lose:
// it ends by what keeps it out of the group, so that its status says that.
func (r *sinkRun) endsByGroup(err error) (connectors.Class, bool) {
	if class, refused := groupRefuses(err); refused {
		return class, true
	}
	var answer *kerr.Error
	if !errors.As(err, &answer) && !r.put.joined() {
		return connectors.Transient, true
	}
	if time.Since(r.saidSince) >= saidPause {
		r.saidSince = time.Now()
		r.Log.Warn("the consumer lost its place in the group and joins it again", "err", err)
	}
	return 0, false
}

// isNetwork reports whether a broker could not be reached or hung up.
func isNetwork(err error) bool {
	var op net.Error
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
