package main

import (
	"net/http"

	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/actors/worker"
	"github.com/troupeio/troupe/cluster"
)

// rebalanceProtocol is what Kafka Connect would call the protocol of a group whose
// nodes sign their requests to each other.
const rebalanceProtocol = "SESSIONED"

// metricsHandler answers scrapes for a core. co is nil for a worker that is alone.
func (n *node) metricsHandler(w *worker.Worker, states *telemetry.States, deadLetters func() int64, co *cluster.Coordinator) http.Handler {
	clientID := n.settings.Props["client.id"]
	if clientID == "" {
		clientID = "connect-" + n.workerID
	}
	mc := telemetry.Config{Work: w, Totals: &w.Totals, States: states, DeadLetters: deadLetters, ClientID: clientID,
		Version: version, Commit: commit, Start: n.begun, Log: n.log}
	switch {
	case n.standalone():
	case co == nil: // dev mode: a group of one that nobody else can join
		joined := n.begun
		mc.Rebalance = func() telemetry.Rebalance {
			return telemetry.Rebalance{Protocol: rebalanceProtocol, Leader: n.baseURL(), Epoch: 1, Completed: 1, Last: joined}
		}
	default:
		mc.Rebalance = func() telemetry.Rebalance { return rebalanceOf(co.Metrics()) }
		mc.Cluster = func() telemetry.Cluster { return clusterOf(co.Metrics()) }
	}
	return telemetry.NewMetrics(mc).Handler()
}

// rebalanceOf maps what a node of a cluster knows to Kafka Connect's metrics.
func rebalanceOf(m cluster.Metrics) telemetry.Rebalance {
	return telemetry.Rebalance{Protocol: rebalanceProtocol, Leader: m.LeaderURL, Epoch: int64(m.Generation), Completed: m.Generations, Rebalancing: m.Out, Last: m.Last}
}

func clusterOf(m cluster.Metrics) telemetry.Cluster {
	return telemetry.Cluster{Lease: m.Lease, Members: m.Members, Seen: m.Seen, Leads: m.Leads, Held: m.Held,
		Terms: m.Terms, Evictions: m.Evictions, Evicted: m.Evicted, Moves: m.Moves}
}
