package group

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// balancer hands every member the list of all.
type balancer struct{ m *Member }

// ProtocolName implements [kgo.GroupBalancer].
func (*balancer) ProtocolName() string { return protocol }

// JoinGroupMetadata implements [kgo.GroupBalancer].
func (b *balancer) JoinGroupMetadata([]string, map[string][]int32, int32) []byte {
	out, _ := json.Marshal(b.m.self()) // strings, numbers and maps of them
	return out
}

// ParseSyncAssignment implements [kgo.GroupBalancer]. By now SyncGroup is answered, so
// that the generation stands.
func (b *balancer) ParseSyncAssignment(raw []byte) (map[string][]int32, error) {
	s, err := decodeSync(raw)
	if err != nil {
		return nil, err
	}
	b.m.synced(s)
	return nil, nil
}

// MemberBalancer implements [kgo.GroupBalancer]; it is asked on the leader alone.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	leader, _ := b.m.client().GroupMetadata()
	return plan{leader, members}, nil, nil
}

// IsCooperative implements [kgo.GroupBalancer].
func (*balancer) IsCooperative() bool { return false }

type plan struct {
	leader  string
	members []kmsg.JoinGroupResponseMember
}

// Balance implements [kgo.GroupMemberBalancer].
func (p plan) Balance(map[string]int32) kgo.IntoSyncAssignment { return p }

// IntoSyncAssignment implements [kgo.IntoSyncAssignment].
func (p plan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	s := sync{Format: Format, Leader: p.leader, Peers: make([]Peer, 0, len(p.members))}
	for _, m := range p.members {
		peer := Peer{Member: m.MemberID}
		// A member whose metadata a newer version has made unreadable is there all the
		// same; nothing is placed on a node without an id.
		_ = json.Unmarshal(m.ProtocolMetadata, &peer.Node)
		s.Peers = append(s.Peers, peer)
	}
	slices.SortFunc(s.Peers, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Member, b.Member))
	})
	raw := s.encode()
	out := make([]kmsg.SyncGroupRequestGroupAssignment, len(p.members))
	for i, m := range p.members {
		out[i] = kmsg.NewSyncGroupRequestGroupAssignment()
		out[i].MemberID, out[i].MemberAssignment = m.MemberID, raw
	}
	return out
}
