package membership

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

var fullMeta = Meta{
	Node: "worker-1", Boot: "b7f3a1c09d22", Started: time.UnixMilli(1_790_000_000_123), REST: "http://10.1.2.3:8083",
	Version: "0.4.0", State: Running, Load: 412, Member: "troupe-b7f3a1c09d22-8a6e0804-2bd0-4672-b79d-d97027f9071a",
}

func TestMetaSurvivesItsEncoding(t *testing.T) {
	for name, m := range map[string]Meta{
		"all": fullMeta, "none": {}, "before the group knows it": {Node: "a", Boot: "b", State: Joining},
		"a later state": {Node: "a", Boot: "b", State: 9}, "below zero": {Load: -3},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := m.encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeMeta(b)
			if err != nil || got != m {
				t.Errorf("decoded %+v, %v; want %+v", got, err, m)
			}
		})
	}
}

// TestMetaOfLaterVersions reads fields that this version doesn't know beside those
// that it does, whatever the version byte says.
func TestMetaOfLaterVersions(t *testing.T) {
	b, err := fullMeta.encode()
	if err != nil {
		t.Fatal(err)
	}
	b[0] = 7
	b = binary.AppendUvarint(b, 4711)
	b = append(binary.AppendUvarint(b, 3), "new"...)
	if got, err := decodeMeta(b); err != nil || got != fullMeta {
		t.Errorf("decoded %+v, %v; want %+v", got, err, fullMeta)
	}
	cut, err := decodeMeta(b[:30])
	if err == nil || cut.Node != fullMeta.Node || cut.Boot != fullMeta.Boot {
		t.Errorf("of the first 30 bytes: %+v, %v; want node, boot and an error", cut, err)
	}
}

func TestMetaThatIsTooLong(t *testing.T) {
	m := fullMeta
	m.Node = strings.Repeat("n", 400)
	if _, err := m.encode(); err == nil || !strings.Contains(err.Error(), "node.id has 400") {
		t.Errorf("error %v; want one that says which part is long", err)
	}
}

func TestIdentityFromTheName(t *testing.T) {
	if m := identity(Meta{}, "me@home:8083@b1"); m.Node != "me@home:8083" || m.Boot != "b1" {
		t.Errorf("identity %+v", m)
	}
}

func FuzzMeta(f *testing.F) {
	b, err := fullMeta.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1, 1, 200})
	f.Add([]byte{9, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil || len(b) > 512 {
			return
		}
		again, err := m.encode()
		if err != nil {
			return // mended text is longer
		}
		if got, err := decodeMeta(again); err != nil || got != m {
			t.Errorf("%x decodes to %+v, which comes back as %+v, %v", b, m, got, err)
		}
	})
}
