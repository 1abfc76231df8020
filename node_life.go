package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/cluster/group"
)

// A node that is started again tells the others how its former life ended: that can't
// be seen from outside, and decides whether a death is held against the tasks that had
// just been started (docs/clustering.md, quarantine). What it knows it has from a file:
// a line about the life, written at its start, and after it what the runtime says when
// the program crashes.

// keptLives is how many former lives a node tells of: one that died before the others
// had heard of the one before it must not make that forgotten.
const keptLives = 5

// lifeRecord is the line at the top of the file.
type lifeRecord struct {
	Format  int          `json:"v"`
	Boot    string       `json:"boot"`
	Machine string       `json:"machine,omitempty"` // of the system's start; "" where it has none
	OOM     int64        `json:"oomKills"`          // what the system had killed for memory before
	Ended   bool         `json:"ended,omitempty"`
	Lives   []group.Life `json:"lives,omitempty"` // before this one, the last one last
}

// lives is what a node keeps of its lives. A nil one keeps nothing: it couldn't be
// written.
type lives struct {
	path string
	log  *slog.Logger
	rec  lifeRecord
}

// openLives begins a life, in the file of a node of a group in a directory, "" for the
// default, and reads how the former one ended.
func openLives(dir, groupID, node, boot string, log *slog.Logger) *lives {
	dir, err := lifeDir(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		log.Warn("node.state.dir can't be written: when this node dies its next life can't say how, and tasks that were started just before may be held answerable", "dir", dir, "err", err)
		return nil
	}
	sum := sha256.Sum256([]byte(groupID + "\x00" + node))
	l := &lives{path: filepath.Join(dir, fmt.Sprintf("%s-%x.life", safeName(node), sum[:4])), log: log}
	l.rec = lifeRecord{Format: 1, Boot: boot, Machine: machineBoot(), OOM: oomKills()}
	if former, ok := l.former(); ok {
		l.rec.Lives = former
	}
	l.write()
	return l
}

// lifeDir is where a node keeps what outlives it on its machine.
func lifeDir(dir string) (string, error) {
	if dir = cmp.Or(dir, os.Getenv("STATE_DIRECTORY")); dir != "" { // systemd's StateDirectory=
		return dir, nil
	}
	state, err := stateDir()
	return filepath.Join(state, "nodes"), err
}

// safeName makes the readable part of a file's name.
func safeName(node string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, node[:min(len(node), 100)])
}

// former reads what the file says of the lives before this one. A crash is logged, and
// the report is kept beside the file.
func (l *lives) former() ([]group.Life, bool) {
	b, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	line, report, _ := bytes.Cut(b, []byte("\n"))
	var rec lifeRecord
	if err == nil {
		err = json.Unmarshal(line, &rec)
	}
	if err != nil || rec.Boot == "" {
		l.log.Warn("what this node has kept of its former life can't be read", "file", l.path, "err", err)
		return nil, false
	}
	end := endOf(rec, report, l.rec)
	l.log.Info("this node has lived before", "end", end, "boot", rec.Boot)
	if len(report) > 0 {
		kept := strings.TrimSuffix(l.path, ".life") + ".crash"
		if err := os.WriteFile(kept, report, 0o600); err != nil {
			kept = err.Error()
		}
		first, _, _ := bytes.Cut(report, []byte("\n"))
		l.log.Error("this node's former life crashed", "with", string(first), "report", kept)
	}
	return appendLife(rec.Lives, group.Life{Boot: rec.Boot, End: end}), true
}

// endOf says how a life ended, from its record, what the runtime added to it, and how
// things are now.
func endOf(was lifeRecord, report []byte, now lifeRecord) group.End {
	switch {
	case len(report) > 0:
		return group.Crashed
	case was.Ended:
		return group.Ended
	case was.Machine != now.Machine:
		return group.Rebooted
	case was.OOM != now.OOM:
		return group.OutOfMemory
	}
	return group.Killed
}

func appendLife(old []group.Life, l group.Life) []group.Life {
	out := append(slices.Clone(old), l)
	return out[max(0, len(out)-keptLives):]
}

// write writes the record into a new file, which gets what the runtime says from now on.
func (l *lives) write() {
	err := func() error {
		line, err := json.Marshal(l.rec)
		if err != nil {
			return err
		}
		f, err := os.CreateTemp(filepath.Dir(l.path), ".life-*")
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // the line is written, and the runtime has a descriptor of its own
		if _, err := f.Write(append(line, '\n')); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		if err := os.Rename(f.Name(), l.path); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		return debug.SetCrashOutput(f, debug.CrashOptions{})
	}()
	if err != nil {
		l.log.Warn("what this node keeps of its life can't be written (node.state.dir)", "file", l.path, "err", err)
	}
}

// renew begins another life of the same process: the one before has ended in order.
func (l *lives) renew(boot string) {
	if l == nil {
		return
	}
	l.rec.Lives = appendLife(l.rec.Lives, group.Life{Boot: l.rec.Boot, End: group.Ended})
	l.rec.Boot = boot
	l.write()
}

// end notes that this life ends in order.
func (l *lives) end() {
	if l == nil {
		return
	}
	l.rec.Ended = true
	l.write()
}

// told returns what the others are told.
func (l *lives) told() []group.Life {
	if l == nil {
		return nil
	}
	return l.rec.Lives
}

// machineBoot names the start of the system that this process runs on; "" where there
// is no such name.
func machineBoot() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b))
}

// oomKills is how often the system has killed for want of memory since its start; 0
// where it doesn't tell.
func oomKills() int64 {
	b, _ := os.ReadFile("/proc/vmstat")
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			v, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return v
		}
	}
	return 0
}
