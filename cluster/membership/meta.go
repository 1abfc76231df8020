package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// State is what a node says of itself.
type State uint8

// The states of a node. A later version may know more of them.
const (
	Joining  State = 1
	Running  State = 2
	Draining State = 3
	Leaving  State = 4
)

// String returns the state in lower case, as GET /cluster shows it.
func (s State) String() string {
	switch s {
	case Joining:
		return "joining"
	case Running:
		return "running"
	case Draining:
		return "draining"
	case Leaving:
		return "leaving"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Meta is what a node tells all others through gossip. Together it must fit in 512
// bytes, so names are short and nothing that others can look up elsewhere is here.
type Meta struct {
	Node    string    // node.id
	Boot    string    // one life of the process
	Started time.Time // of this life, by the node's own clock, to the millisecond; orders the lives of one address
	REST    string    // where its REST interface is reached
	Version string    // of Troupe
	State   State
	Load    int    // what the node carries, in the placement's unit
	Member  string // its member id in the Kafka group, "" before it has one
}

// formatVersion is the first byte of the encoding. Fields are only ever added, each
// under a tag of its own, and readers step over tags that they don't know: so the
// version tells a human what wrote the bytes, and never refuses a reader.
const formatVersion = 1

const (
	tagNode = iota + 1
	tagBoot
	tagStarted
	tagREST
	tagVersion
	tagState
	tagLoad
	tagMember
)

// encode returns version, then per field tag, length, bytes; numbers are varints.
// Fields with their zero value are left out.
func (m Meta) encode() ([]byte, error) {
	b := []byte{formatVersion}
	field := func(tag uint64, v []byte) {
		if len(v) > 0 {
			b = binary.AppendUvarint(b, tag)
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		}
	}
	number := func(tag uint64, n int64) {
		if n != 0 {
			field(tag, binary.AppendVarint(nil, n))
		}
	}
	field(tagNode, []byte(m.Node))
	field(tagBoot, []byte(m.Boot))
	if !m.Started.IsZero() {
		number(tagStarted, m.Started.UnixMilli())
	}
	field(tagREST, []byte(m.REST))
	field(tagVersion, []byte(m.Version))
	number(tagState, int64(m.State))
	number(tagLoad, int64(m.Load))
	field(tagMember, []byte(m.Member))
	if len(b) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("encoding the gossip metadata: %d bytes, at most %d fit (node.id has %d, the REST address %d, the member id %d)",
			len(b), memberlist.MetaMaxSize, len(m.Node), len(m.REST), len(m.Member))
	}
	return b, nil
}

var errCutOff = errors.New("decoding gossip metadata: cut off")

// decodeMeta reads what encode wrote, in this version or another. With an error it
// returns what it could read until then. Text that is not UTF-8 is mended, since it
// goes into JSON and logs.
func decodeMeta(b []byte) (m Meta, err error) {
	if len(b) == 0 || b[0] == 0 {
		return m, errors.New("decoding gossip metadata: no version byte")
	}
	b = b[1:]
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return m, errCutOff
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return m, errCutOff
		}
		v := b[n : n+int(size)]
		b = b[n+int(size):]
		text := func() string { return strings.ToValidUTF8(string(v), "\uFFFD") }
		num, _ := binary.Varint(v) // a number that is too long, or none, reads as 0
		switch tag {
		case tagNode:
			m.Node = text()
		case tagBoot:
			m.Boot = text()
		case tagStarted:
			if num != 0 {
				m.Started = time.UnixMilli(num)
			}
		case tagREST:
			m.REST = text()
		case tagVersion:
			m.Version = text()
		case tagState:
			if num > 0 && num < 256 {
				m.State = State(num)
			}
		case tagLoad:
			m.Load = int(num)
		case tagMember:
			m.Member = text()
		}
	}
	return m, nil
}

// name is what memberlist calls a life of a node. It holds the boot id, so a process
// that starts again doesn't answer the probes that are meant for its predecessor.
func (m Meta) name() string { return m.Node + "@" + m.Boot }

// identity fills in what must be known of a peer from its name, should its metadata
// be unreadable.
func identity(m Meta, name string) Meta {
	if m.Node != "" && m.Boot != "" {
		return m
	}
	node, boot := name, name
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		node, boot = name[:i], name[i+1:]
	}
	if m.Node == "" {
		m.Node = node
	}
	if m.Boot == "" {
		m.Boot = boot
	}
	return m
}
