package main

import (
	"testing"
	"time"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster"
)

// TestMetricsMapping holds Kafka Connect's metrics of rebalances, and our own of a
// cluster, to what a node knows.
func TestMetricsMapping(t *testing.T) {
	last := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	m := cluster.Metrics{Generation: 7, Generations: 3, Last: last, LeaderURL: "http://node2:8083/", Out: true, Leads: true, Lease: -2 * time.Second,
		Members: 3, Seen: 2, Held: 42, Terms: 1, Evictions: 2, Evicted: 4, Moves: 17}
	if got, want := rebalanceOf(m), (telemetry.Rebalance{Protocol: "SESSIONED", Leader: "http://node2:8083/", Epoch: 7, Completed: 3, Rebalancing: true, Last: last}); got != want {
		t.Errorf("rebalance: %+v, want %+v", got, want)
	}
	if got, want := clusterOf(m), (telemetry.Cluster{Lease: -2 * time.Second, Members: 3, Seen: 2, Leads: true, Held: 42, Terms: 1, Evictions: 2, Evicted: 4, Moves: 17}); got != want {
		t.Errorf("cluster: %+v, want %+v", got, want)
	}
}
