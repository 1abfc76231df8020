package devbroker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequestBytes is the longest request that is read, Kafka's default of
// socket.request.max.bytes.
const maxRequestBytes = 100 << 20

// guardedConn stands between a client and kfake. It lets only Kafka requests
// through: kfake makes room for whatever length it is told and panics at a
// request that it does not know, so that a browser on the port would end the
// process. And it sees first what requests name topics that may have to
// be created, see autoCreate, or that none may have, see refuseNames.
//
// kfake reads from one goroutine at a time.
type guardedConn struct {
	net.Conn
	r    *bufio.Reader
	left int    // bytes of the current request that are still in r
	held []byte // bytes of the current request that were taken out of r
	l    *listener
}

// Read implements [net.Conn].
func (c *guardedConn) Read(p []byte) (int, error) {
	if len(c.held) == 0 && c.left == 0 {
		if err := c.nextRequest(); err != nil {
			return 0, err
		}
	}
	if len(c.held) > 0 {
		n := copy(p, c.held)
		c.held = c.held[n:]
		return n, nil
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// nextRequest waits for the beginning of a request and looks at it.
func (c *guardedConn) nextRequest() error {
	head, err := c.r.Peek(8) // length, key, version
	if err != nil {
		return err
	}
	size := int32(binary.BigEndian.Uint32(head))
	key := int16(binary.BigEndian.Uint16(head[4:]))
	if size < 8 || size > maxRequestBytes || kmsg.RequestForKey(key) == nil {
		_ = c.Close()
		return errors.New("not a Kafka request")
	}
	if key != int16(kmsg.Metadata) && key != int16(kmsg.CreateTopics) {
		c.left = 4 + int(size)
		return nil
	}
	request := make([]byte, 4+int(size))
	if _, err := io.ReadFull(c.r, request); err != nil {
		return err
	}
	c.held = request
	named, create := topicsOf(request)
	var legal, illegal []string
	for _, t := range named {
		if legalTopic(t) {
			legal = append(legal, t)
		} else {
			illegal = append(illegal, t)
		}
	}
	if len(illegal) > 0 && c.l.refuse != nil {
		c.l.refuse(kmsg.Key(key), illegal)
	}
	if create && len(legal) > 0 && c.l.beforeMetadata != nil {
		c.l.beforeMetadata(legal)
	}
	return nil
}

// topicsOf returns the topics that a metadata request or one to create topics names,
// and whether it is a metadata request that may create them. What it cannot read is
// kfake's to answer.
func topicsOf(request []byte) (topics []string, create bool) {
	r := kbin.Reader{Src: request[4:]}
	req := kmsg.RequestForKey(r.Int16())
	req.SetVersion(r.Int16())
	if req.GetVersion() < 0 || req.GetVersion() > req.MaxVersion() {
		return nil, false
	}
	r.Int32()          // correlation id
	r.NullableString() // client id
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() || req.ReadFrom(r.Src) != nil {
		return nil, false
	}
	switch req := req.(type) {
	case *kmsg.MetadataRequest:
		for _, t := range req.Topics {
			if t.Topic != nil {
				topics = append(topics, *t.Topic)
			}
		}
		create = req.Version < 4 || req.AllowAutoTopicCreation
	case *kmsg.CreateTopicsRequest:
		for _, t := range req.Topics {
			topics = append(topics, t.Topic)
		}
	}
	return topics, create
}

// Close implements [net.Conn].
func (c *guardedConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.live, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
