package task

import "time"

// A client never takes a topic that was deleted and made again for the one that it
// knew: it answers each poll at once with UNKNOWN_TOPIC_ID. A client of a new
// incarnation does, but the brokers may just be slow to tell each other of a topic,
// so the task is not restarted for it at once.
const (
	recreatedWait  = 2 * time.Second
	recreatedPause = 100 * time.Millisecond
)

// recreated reports whether to go on polling although a topic's id is unknown.
func (r *sinkRun) recreated(topic string) bool {
	if r.goneSince.IsZero() {
		r.goneSince = time.Now()
		r.Log.Warn("a topic is not the one that the task began to read: it was deleted, and perhaps made again. The task is restarted to read the new one, unless the topic comes back", "topic", topic)
	}
	return time.Since(r.goneSince) < recreatedWait
}
