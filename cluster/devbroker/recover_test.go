package devbroker

import (
	"encoding/binary"
	"reflect"
	"testing"
)

// batch returns the header of a batch with n records from an offset on, and some
// bytes for the records.
func batch(offset int64, n int, attributes uint16, id int64, epoch int16) []byte {
	b := make([]byte, batchHeader+5)
	binary.BigEndian.PutUint64(b, uint64(offset))
	binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
	binary.BigEndian.PutUint16(b[batchAttributes:], attributes)
	binary.BigEndian.PutUint32(b[batchLastDelta:], uint32(n-1))
	binary.BigEndian.PutUint64(b[batchProducerID:], uint64(id))
	binary.BigEndian.PutUint16(b[batchEpoch:], uint16(epoch))
	return b
}

func TestTrackTransactions(t *testing.T) {
	join := func(batches ...[]byte) (all []byte) {
		for _, b := range batches {
			all = append(all, b...)
		}
		return all
	}
	data, marker := func(o int64, id int64, epoch int16) []byte { return batch(o, 2, attributeTransactional, id, epoch) },
		func(o int64, id int64) []byte { return batch(o, 1, attributeTransactional|attributeControl, id, 0) }
	for _, row := range []struct {
		name string
		text []byte
		next int64
		open map[int64]int16
	}{
		{"nothing", nil, 0, map[int64]int16{}},
		{"plain records", batch(5, 3, 0, -1, -1), 8, map[int64]int16{}},
		{"open", data(0, 7, 3), 2, map[int64]int16{7: 3}},
		{"ended", join(data(0, 7, 3), marker(2, 7)), 3, map[int64]int16{}},
		{"open again", join(data(0, 7, 3), marker(2, 7), data(3, 7, 4)), 5, map[int64]int16{7: 4}},
		{"another's marker", join(data(0, 7, 3), marker(2, 8)), 3, map[int64]int16{7: 3}},
		{"two open", join(data(0, 7, 3), data(2, 8, 1)), 4, map[int64]int16{7: 3, 8: 1}},
		{"a cut batch is left for the next read", join(data(0, 7, 3), marker(2, 7)[:batchHeader+1]), 2, map[int64]int16{7: 3}},
	} {
		t.Run(row.name, func(t *testing.T) {
			open := map[int64]int16{}
			if next := trackTransactions(row.text, open); next != row.next || !reflect.DeepEqual(open, row.open) {
				t.Errorf("got %d, %v, want %d, %v", next, open, row.next, row.open)
			}
		})
	}
}

func FuzzTrackTransactions(f *testing.F) {
	f.Add(batch(0, 2, attributeTransactional, 1, 1))
	f.Add([]byte("short"))
	f.Fuzz(func(_ *testing.T, text []byte) { trackTransactions(text, map[int64]int16{}) })
}
