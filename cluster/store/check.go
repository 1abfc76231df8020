package store

import "github.com/troupeio/troupe/connectors"

// CheckOffsets fails, with Kafka Connect's messages, for partitions and offsets that
// cannot be stored. Whoever hands offsets of a user to a plugin calls it first.
func CheckOffsets(offsets []connectors.PartitionOffset) error {
	for _, o := range offsets {
		if err := checkOffset(o.Partition); err != nil {
			return err
		}
		if err := checkOffset(o.Offset); err != nil {
			return err
		}
	}
	return nil
}
