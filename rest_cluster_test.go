package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/workerconfig"
)

// TestGoldenRESTCluster replays the transcript of a lone Kafka Connect worker to a
// cluster of three nodes in this process, each request to a random one of them, which
// shows as little as it should: a read may be repeated for as long as the others may
// take to hear of a write. Log levels of one worker stay with one node.
func TestGoldenRESTCluster(t *testing.T) {
	seed := fromEnv(t, seedEnv, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d for the same nodes", seedEnv, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	nodes := goldenCluster(t, 3)
	asked := make(map[string]int)
	replayREST(t, nodes, func(r *restRow) *goldenNode {
		n := nodes[rng.IntN(len(nodes))]
		if strings.HasPrefix(r.Path, "/admin/loggers") && !strings.Contains(r.Path, "scope=cluster") {
			n = nodes[0]
		}
		asked[n.addr]++
		return n
	})
	for _, n := range nodes {
		t.Logf("%s was sent %d requests", n.addr, asked[n.addr])
	}
}

// goldenCluster starts the nodes of a cluster and waits until each sees all of them.
// All are called as the first one is in answers, and share its files.
func goldenCluster(t *testing.T, size int) []*goldenNode {
	t.Helper()
	broker := goldenBroker(t)
	var nodes []*goldenNode
	for i := range size {
		nodes = append(nodes, startGoldenNode(t, broker, workerconfig.Distributed, true, map[string]string{"node.id": fmt.Sprintf("node-%d", i+1)}))
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.addr, nodes[0].addr)
	}
	for _, n := range nodes {
		n.alike, n.files = strings.NewReplacer(names...), nodes[0].files
		eventually(t, func() string {
			v, err := n.herder.View(context.Background())
			if err != nil {
				return err.Error()
			}
			if len(v.Nodes) != size || v.Leader == "" {
				return fmt.Sprintf("%s sees the nodes %+v, leader %q", n.addr, v.Nodes, v.Leader)
			}
			return ""
		})
	}
	return nodes
}
