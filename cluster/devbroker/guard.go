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
// process. And it sees the metadata requests first, see autoCreate.
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
	if key != int16(kmsg.Metadata) {
		c.left = 4 + int(size)
		return nil
	}
	request := make([]byte, 4+int(size))
	if _, err := io.ReadFull(c.r, request); err != nil {
		return err
	}
	c.held = request
	if topics := topicsToCreate(request); len(topics) > 0 && c.l.beforeMetadata != nil {
		c.l.beforeMetadata(topics)
	}
	return nil
}

// topicsToCreate returns the topics that a metadata request names if it may
// create them. What it cannot read is kfake's to answer.
func topicsToCreate(request []byte) []string {
	r := kbin.Reader{Src: request[4:]}
	r.Int16() // key
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(r.Int16())
	if req.Version < 0 || req.Version > req.MaxVersion() {
		return nil
	}
	r.Int32()          // correlation id
	r.NullableString() // client id
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() || req.ReadFrom(r.Src) != nil || (req.Version >= 4 && !req.AllowAutoTopicCreation) {
		return nil
	}
	var topics []string
	for _, t := range req.Topics {
		if t.Topic != nil {
			topics = append(topics, *t.Topic)
		}
	}
	return topics
}

// Close implements [net.Conn].
func (c *guardedConn) Close() error {
	c.l.mu.Lock()
	delete(c.l.live, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
