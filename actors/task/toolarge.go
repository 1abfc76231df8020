package task

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/connectors"
)

// tooLarge adds to the answer that a record is too large which record that is and
// which limits there are; other errors stay as they are.
func tooLarge(rec *kgo.Record, err error) error {
	if !errors.Is(err, kerr.MessageTooLarge) {
		return err
	}
	return &connectors.Error{JavaClass: "org.apache.kafka.common.errors.RecordTooLargeException", Class: connectors.Poison, Cause: err,
		Msg: fmt.Sprintf("a record of %d bytes (its value %d) is over a limit: max.request.size of the producer (producer.override.max.request.size in the connector's configuration, producer.max.request.size in the worker's), max.message.bytes of topic %s, or message.max.bytes of the broker. Raise it, or set errors.tolerance=all to skip such records",
			len(rec.Key)+len(rec.Value), len(rec.Value), rec.Topic)}
}
