package telemetry

import "strings"

// byExample applies the rules of the JMX exporter's own example for Kafka Connect
// (prometheus/jmx_exporter, examples/kafka-connect.yml) to a JMX type of domain
// kafka.connect and an attribute with a number: the name that its Prometheus metric
// has there. covered is false when no rule of the file exports the attribute; the
// name is then what the file's rule for its neighbours would make of it.
func byExample(mbean, attr string) (name string, covered bool) {
	part := strings.TrimSuffix(mbean, "-metrics")
	switch mbean {
	case "connect-worker-metrics":
		part, covered = "connect_worker", true
	case "connect-worker-rebalance-metrics":
		part, covered = "connect_worker_rebalance", true
	case "app-info":
		return "kafka_connect_" + strings.ReplaceAll(attr, "-", "_"), true
	case "connect-coordinator-metrics":
		covered = anySuffix(attr, "-total", "-avg", "-bytes", "-count", "-ratio", "-connectors", "-tasks", "-ago")
	default:
		part = "connect_" + part
		covered = anySuffix(attr, "-total", "-count", "-ms", "-ratio", "-avg", "-failures", "-requests", "-timestamp", "-logged", "-errors", "-retries", "-skipped")
		// The file's patterns are not anchored at the end, so that it sees
		// "…-count-avg" and "…-count-max" as "…-count" and gives three attributes one
		// name. Ours keep their own.
		covered = covered && !strings.Contains(attr, "-count-")
	}
	return strings.ReplaceAll("kafka_"+part+"_"+attr, "-", "_"), covered
}

func anySuffix(s string, suffixes ...string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}
