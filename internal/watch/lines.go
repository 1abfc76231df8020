// Package watch looks from outside at what worker processes do, for the tests of whole
// clusters and for the benchmark. It imports internal/kafkatest and the Kafka client.
package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Lines hands over the whole lines of files as they grow, until ctx ends. The files are
// looked at every so often and need not exist yet. lines is called on this goroutine with
// what one look has found in one file, without the line feeds; the memory is the caller's
// only until it returns. The error is that of a file that could not be read.
func Lines(ctx context.Context, files []string, every time.Duration, lines func(file string, lines [][]byte, at time.Time)) error {
	open, rest := make(map[string]*os.File), make(map[string][]byte)
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	buf := make([]byte, 1<<16)
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		for _, file := range files {
			if open[file] == nil {
				f, err := os.Open(file)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return fmt.Errorf("watching a file: %w", err)
				}
				open[file] = f
			}
			n, err := open[file].Read(buf) // the end is where the next look goes on
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("watching a file: %w", err)
			}
			if n == 0 {
				continue
			}
			at := time.Now()
			text := append(rest[file], buf[:n]...)
			last := bytes.LastIndexByte(text, '\n')
			if last >= 0 {
				lines(file, bytes.Split(text[:last], []byte{'\n'}), at)
			}
			rest[file] = bytes.Clone(text[last+1:])
		}
	}
}
