package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineLength is the length of a line without its end.
const lineLength = 95

// line is line i of the input: its number, and letters that differ from line
// to line, so that a swapped or doubled line shows in the checksum.
func line(buf []byte, i, length int) []byte {
	buf = fmt.Appendf(buf[:0], "%012d ", i)
	x := uint64(i)*0x9E3779B97F4A7C15 + 1
	for len(buf) < length {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		buf = append(buf, 'a'+byte(x%26))
	}
	return buf
}

// form is how a line looks at some place: in a topic, or in a sink's file.
type form struct{ before, after string }

var (
	plain = form{}
	// hoisted is what the four transformations and JsonConverter with schemas
	// make of a line, byte for byte as Kafka Connect 4.1 writes it.
	hoisted = form{
		`{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"text"},` +
			`{"type":"string","optional":true,"field":"source"}],"optional":false},"payload":{"text":"`,
		`","source":"bench"}}`,
	}
	// printed is how FileStreamSink prints the same struct.
	printed = form{`Struct{text=`, `,source=bench}`}
)

func (f form) size(lines, length int) int64 {
	return int64(lines) * int64(len(f.before)+length+len(f.after)+1)
}

// each calls do with every line in this form. The slice is used again.
func (f form) each(lines, length int, do func([]byte) error) error {
	buf, out := make([]byte, 0, length), make([]byte, 0, 1024)
	for i := range lines {
		buf = line(buf, i, length)
		out = append(append(append(out[:0], f.before...), buf...), f.after...)
		if err := do(out); err != nil {
			return err
		}
	}
	return nil
}

func (f form) writeFile(path string, lines, length int) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("making the input: %w", err)
	}
	defer func() { _ = file.Close() }()
	w := bufio.NewWriterSize(file, 1<<20)
	err = f.each(lines, length, func(b []byte) error {
		if _, err := w.Write(b); err != nil {
			return err
		}
		return w.WriteByte('\n')
	})
	if err = errors.Join(err, w.Flush()); err != nil {
		return fmt.Errorf("writing the input: %w", err)
	}
	return nil
}

// sum is the checksum of all lines in this form, each with a line end.
func (f form) sum(lines, length int) string {
	h := sha256.New()
	// A hash never refuses a write, hence each never fails.
	_ = f.each(lines, length, func(b []byte) error { addLine(h, b); return nil })
	return hex.EncodeToString(h.Sum(nil))
}

func addLine(h hash.Hash, b []byte) {
	h.Write(b)
	h.Write([]byte{'\n'})
}

// checkFile compares a sink's file with what should be in it.
func (f form) checkFile(path string, lines, length int) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("checking the destination: %w", err)
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.sum(lines, length) {
		return fmt.Errorf("checking the destination: the content differs: %d bytes, want %d; it starts with %q",
			n, f.size(lines, length), head(path))
	}
	return nil
}

func head(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 300)
	n, _ := io.ReadFull(f, b) // a short file is what we may want to see
	return string(b[:n])
}

// checkTopic reads a topic from its start and compares it with what should be
// in it, in order and without repeats.
func (f form) checkTopic(ctx context.Context, addr, topic string, lines, length int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return fmt.Errorf("checking topic %s: %w", topic, err)
	}
	defer cl.Close()
	h := sha256.New()
	first, n := "", 0
	for n < lines {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("checking topic %s after %d records: %w", topic, n, err)
		}
		for r := range fetches.RecordsAll() {
			if n == 0 {
				first = string(r.Value)
			}
			addLine(h, r.Value)
			n++
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != lines || got != f.sum(lines, length) {
		return fmt.Errorf("checking topic %s: the content differs: %d records, want %d; the first is %s",
			topic, n, lines, strings.TrimSpace(first))
	}
	return nil
}
