package membership

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestRotateKeepsOrderAndTakesOut(t *testing.T) {
	k := func(s string) [][]byte {
		var out [][]byte
		for _, c := range s {
			out = append(out, bytes.Repeat([]byte{byte(c)}, 16))
		}
		return out
	}
	for _, steps := range [][]string{
		{"a", "ab", "ba", "b"}, {"ab", "bc", "cb", "c"}, {"abcd", "ca", "a"}, {"", "a"}, {"abc", "d"}, {"a", "a"},
	} {
		t.Run(strings.Join(steps, " "), func(t *testing.T) {
			ring, err := memberlist.NewKeyring(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if err := rotate(ring, k(s)); err != nil {
					t.Fatal(err)
				}
				got, want := ring.GetKeys(), k(s)
				if len(want) > 0 && !bytes.Equal(ring.GetPrimaryKey(), want[0]) {
					t.Errorf("%s: encrypts with %s", s, ring.GetPrimaryKey()[:1])
				}
				slices.SortFunc(got, bytes.Compare)
				slices.SortFunc(want, bytes.Compare)
				if !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("%s: holds %q", s, got)
				}
			}
		})
	}
	ring, _ := memberlist.NewKeyring(nil, bytes.Repeat([]byte{1}, 16))
	if err := rotate(ring, nil); err == nil {
		t.Error("encryption was switched off")
	}
	if err := rotate(ring, [][]byte{make([]byte, 15)}); err == nil || !strings.Contains(err.Error(), "15 bytes") {
		t.Errorf("a key of 15 bytes: %v", err)
	}
}

func TestTranslatedLines(t *testing.T) {
	for _, c := range []struct{ name, line, say string }{
		{"packet under another key", "[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=10.0.0.2:7946",
			"gossip from 10.0.0.2 cannot be decrypted: gossip.secret.keys differ"},
		{"stream under another key", "[ERR] memberlist: failed to receive: no installed keys could decrypt the message from=10.0.0.2:50001",
			"gossip from 10.0.0.2 cannot be decrypted: gossip.secret.keys differ"},
		{"another group", `[ERR] memberlist: discarding packet with unacceptable label "blue": from=10.0.0.2:7946`,
			`gossip from 10.0.0.2 is of the group.id "blue", not of ours, and is left alone`},
		{"blocked UDP", "[WARN] memberlist: Was able to connect to w2@b1 over TCP but UDP probes failed, network may be misconfigured",
			"gossip reaches w2@b1 over TCP but not over UDP: the gossip port must be open for both, in both directions"},
		{"a probe", "[ERR] memberlist: Failed fallback TCP ping: EOF", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, text := split(c.line)
			if _, say := translate(text); say != c.say {
				t.Errorf("says %q, want %q", say, c.say)
			}
			if c.say == "" && !usual(text) {
				t.Error("is not usual")
			}
		})
	}
}

func TestReasonsStayTheSame(t *testing.T) {
	for text, want := range map[string]string{
		"1 error occurred:\n\t* failed to join 10.0.0.1:7946: dial tcp 10.0.0.1:7946: connect: connection refused": "connection refused (nothing listens there)",
		"failed to join 10.0.0.1:7946: read tcp 10.0.0.9:51000->10.0.0.1:7946: i/o timeout":                        "no answer over TCP",
		"failed to join x: remote error: no installed keys could decrypt the message":                              keysDiffer,
		"failed to join x: EOF": "the connection is closed without an answer (gossip of another group.id, or something else listens there)",
	} {
		if got := reason(errors.New(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestTwoLivesAtOneAddress drives the table alone: what memberlist may tell, in the
// orders in which it may tell it.
func TestTwoLivesAtOneAddress(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_000)
	life := func(boot string, after time.Duration, s State) Meta {
		return Meta{Node: "w1", Boot: boot, Started: at.Add(after), State: s}
	}
	old, young := life("b1", 0, Running), life("b2", time.Second, Running)
	back := life("b0", -time.Hour, Running) // a restart after the clock was set back
	seen := func(m Meta) func(*table) {
		return func(t *table) { b, _ := m.encode(); t.seen(m.name(), "10.0.0.1:7946", b) }
	}
	gone := func(m Meta) func(*table) { return func(t *table) { t.gone(m.name()) } }
	for _, c := range []struct {
		name  string
		steps []func(*table)
		want  string
	}{
		{"restart before its death is noticed", []func(*table){seen(old), seen(young), gone(old)}, "joined b1, died b1, joined b2"},
		{"restart after", []func(*table){seen(old), gone(old), seen(young)}, "joined b1, died b1, joined b2"},
		{"old news come late", []func(*table){seen(young), seen(old), gone(old)}, "joined b2"},
		{"the clock was set back", []func(*table){seen(old), seen(back), gone(old)}, "joined b1, died b1, joined b0"},
		{"left, then started", []func(*table){seen(old), seen(life("b1", 0, Leaving)), gone(old), seen(young)}, "joined b1, updated b1, left b1, joined b2"},
		{"said it over a stream", []func(*table){seen(old), func(t *table) { t.says("b1") }, gone(old)}, "joined b1, left b1"},
		{"cut off and back", []func(*table){seen(old), gone(old), seen(old)}, "joined b1, died b1, joined b1"},
		{"after Close", []func(*table){seen(old), (*table).close, gone(old), seen(young)}, "joined b1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := &queue{wake: make(chan struct{}, 1)}
			tb := newTable(Meta{Node: "me", Boot: "m", Started: at}, "10.0.0.9:7946", q)
			for _, step := range c.steps {
				step(tb)
			}
			var got []string
			for _, e := range q.take() {
				got = append(got, e.Kind.String()+" "+e.Peer.Boot)
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("events %s, want %s", s, c.want)
			}
		})
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	meta := Meta{Node: "n", Boot: "b"}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"no node.id", Options{}, "node.id"},
		{"bind is no address", Options{Meta: meta, Bind: "127.0.0.1:x"}, "gossip.bind"},
		{"bind port too high", Options{Meta: meta, Bind: "127.0.0.1:70000"}, "gossip.bind"},
		{"bind address of another machine", Options{Meta: meta, Bind: "192.0.2.1:0"}, "gossip.bind"},
		{"advertise is no address", Options{Meta: meta, Bind: "127.0.0.1:0", Advertise: "a:b:c"}, "gossip.advertise"},
		{"advertise is any", Options{Meta: meta, Bind: "127.0.0.1:0", Advertise: "0.0.0.0:1"}, "gossip.advertise"},
		{"seed", Options{Meta: meta, Bind: "127.0.0.1:0", Seeds: []string{"a:99999"}}, "gossip.seeds"},
		{"key", Options{Meta: meta, Bind: "127.0.0.1:0", Keys: [][]byte{{1}}}, "gossip.secret.keys: key 1 of 1 has 1 bytes"},
		{"timeout above interval", Options{Meta: meta, ProbeTimeout: time.Second}, "gossip.probe.timeout.ms"},
		{"label", Options{Meta: meta, Label: strings.Repeat("g", 256)}, "group.id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Log = slog.New(slog.DiscardHandler)
			g, err := Start(c.o)
			if err == nil {
				g.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q; want one that names %s", err, c.want)
			}
		})
	}
}
