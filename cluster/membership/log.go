package membership

import (
	"context"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"
)

const keysDiffer = "gossip.secret.keys differ"

const (
	linesQueue = 256  // of memberlist's lines that wait for the log; more are dropped and counted
	mostTold   = 1024 // hosts that something was said about; outside bytes can name any number
	toldAgain  = 10 * time.Minute
	otherEvery = 10 * time.Second // at most one line that we don't know is passed on in that time
)

// scribe turns memberlist's text lines into ours. memberlist logs with its lock
// held, so Write only queues; one goroutine reads.
//
// memberlist tells of every failed probe as an error. Here that is debug, and a few
// lines that name a mistake of the operator are said in his words, once a peer.
type scribe struct {
	log   *slog.Logger
	lines chan string
}

func newScribe(log *slog.Logger) *scribe {
	return &scribe{log: log, lines: make(chan string, linesQueue)}
}

// Write takes one line of a log.Logger. It never waits.
func (s *scribe) Write(b []byte) (int, error) {
	line := strings.TrimSpace(string(b))
	if strings.HasPrefix(line, "[DEBUG]") && !s.log.Enabled(context.Background(), slog.LevelDebug) {
		return len(b), nil
	}
	select {
	case s.lines <- line:
	default: // the log is slower than gossip: what repeats comes again
	}
	return len(b), nil
}

// run writes lines until done is closed.
func (s *scribe) run(done <-chan struct{}) {
	told := map[string]time.Time{}
	var other time.Time
	for {
		var line string
		select {
		case line = <-s.lines:
		case <-done:
			return
		}
		level, text := split(line)
		key, say := translate(text)
		now := time.Now()
		switch {
		case say != "":
			if at, ok := told[key]; ok && now.Sub(at) < toldAgain {
				continue
			}
			if len(told) >= mostTold {
				clear(told)
			}
			told[key] = now
			s.log.Warn(say)
		case level >= slog.LevelWarn && !usual(text) && now.Sub(other) >= otherEvery:
			other = now
			s.log.Warn("gossip: " + text)
		default:
			s.log.Debug("gossip: " + text)
		}
	}
}

func split(line string) (slog.Level, string) {
	level := slog.LevelWarn
	if rest, ok := strings.CutPrefix(line, "["); ok {
		if word, after, ok := strings.Cut(rest, "] "); ok {
			line = after
			switch word {
			case "DEBUG":
				level = slog.LevelDebug
			case "INFO":
				level = slog.LevelInfo
			case "ERR", "ERROR":
				level = slog.LevelError
			}
		}
	}
	return level, strings.TrimPrefix(line, "memberlist: ")
}

var (
	fromRE  = regexp.MustCompile(`from=(\S+)`)
	labelRE = regexp.MustCompile(`unacceptable label ("(?:[^"\\]|\\.)*")`)
	tcpRE   = regexp.MustCompile(`^Was able to connect to (\S+) over TCP but UDP probes failed`)
)

// translate returns what to say instead of a line, and what it is about: it is said
// once a key. A peer is named by its host, since its streams come from any port.
func translate(text string) (key, say string) {
	from := "an unknown address"
	if m := fromRE.FindStringSubmatch(text); m != nil {
		from = m[1]
		if host, _, err := net.SplitHostPort(from); err == nil {
			from = host
		}
	}
	has := func(p string) bool { return strings.Contains(text, p) }
	switch {
	case has("no installed keys could decrypt"), has("Decrypt packet failed"),
		has("remote state is not encrypted"), has("remote state is encrypted and encryption is not configured"):
		return "keys " + from, "gossip from " + from + " cannot be decrypted: " + keysDiffer
	case strings.HasPrefix(text, "msg type (") && has("not supported from="):
		return "keys " + from, "gossip from " + from + " is not understood: it is encrypted and this node has no gossip.secret.keys, or it is not gossip"
	case has("unacceptable label"):
		label := `""`
		if m := labelRE.FindStringSubmatch(text); m != nil {
			label = m[1]
		}
		return "label " + from, "gossip from " + from + " is of the group.id " + label + ", not of ours, and is left alone"
	case has("over TCP but UDP probes failed"):
		name := "a peer"
		if m := tcpRE.FindStringSubmatch(text); m != nil {
			name = m[1]
		}
		return "udp " + name, "gossip reaches " + name + " over TCP but not over UDP: the gossip port must be open for both, in both directions"
	case has("Binding to public address without encryption"):
		return "public", "gossip is bound to a public address and is not encrypted: set gossip.secret.keys"
	}
	return "", ""
}

// usual says whether a warning of memberlist's is part of a node's death, of its
// restart, or of a lossy network.
func usual(text string) bool {
	for _, p := range []string{
		"Failed to send UDP", "Failed to send gossip", "Failed to send indirect", "Failed to send ack",
		"Failed to send nack", "Failed to forward ack", "Failed fallback TCP ping", "Failed to send error",
		"Failed UDP ping", "Push/Pull with", "Got ping for unexpected node", "Refuting", "failed to join",
		"failed to receive", "Failed to push local state", "Failed to read remote state", "Conflicting address",
	} {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
