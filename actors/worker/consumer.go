package worker

import "strings"

const (
	// A member learns of a rebalance by its next heartbeat, and the others wait for it:
	// 0.3 s instead of 3. The only task of a connector has nobody who would wait; it
	// keeps Kafka's default, which is a sixth of the requests.
	sharedHeartbeat = "500"
	// A dead member that nobody takes out of its group is kept for so long.
	consumerSession = "10000"
)

// consumerDefaults sets what a sink's consumer has by default and Kafka's has not, where
// the user has not set it. All values are Kafka's properties, in milliseconds.
func consumerDefaults(props, config map[string]string) {
	give := func(name, value string) {
		if _, ok := props[name]; !ok {
			props[name] = value
		}
	}
	if serverSide(props) {
		return // the times are the broker's to say
	}
	if tasks := strings.TrimSpace(config["tasks.max"]); tasks != "" && tasks != "1" {
		give("heartbeat.interval.ms", sharedHeartbeat)
	}
	give("session.timeout.ms", consumerSession)
}

// serverSide reports whether the group works by KIP-848. Then the broker keeps a static
// id from the successor of a member that was killed: such members come and go.
func serverSide(props map[string]string) bool {
	return strings.EqualFold(strings.TrimSpace(props["group.protocol"]), "consumer")
}
