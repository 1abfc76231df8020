package protobuf

import "github.com/troupeio/troupe/codec/data"

// maxNesting bounds how deep the messages of a record are nested, read or written:
// the bytes decide it where a message contains itself. Avro's converter has the same
// bound. Java reads up to 100.
const maxNesting = 500

// maxJoined bounds how much of a record is read anew because messages in it come in
// parts, one in another: as many times the record.
const maxJoined = 16

var (
	errDepth = data.Errorf("Protocol message had too many levels of nesting: more than %d", maxNesting)
	errParts = data.Errorf("Protocol message had too many messages in parts, one in another")
)

// run is the state of reading one record, which the messages of a plan share.
type run struct {
	depth  int
	joined int // bytes of messages in parts so far
	most   int // bytes that may be
}
