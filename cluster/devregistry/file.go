package devregistry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// format is the form of the file: the state as one JSON document, and behind it the
// changes since then, one a line.
const format = 2

// file keeps the state. Each change is in it before it is answered: a kill loses
// nothing, since the system has the bytes, nor does the machine's crash, since they
// are synced. Its only user holds the handler's lock.
type file struct {
	path string // "" keeps nothing
	// size is that of the file as this process wrote it. A file of any other, or none,
	// is written anew: that puts away what a kill left of a line, and what was changed
	// in an earlier run.
	size int64
}

// load reads the file; one that is not there is an empty registry.
func (f *file) load() (*state, error) {
	s := newState()
	f.size = -1
	if f.path == "" {
		return s, nil
	}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = s.read(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the dev registry's file %s: %w", f.path, err)
	}
	return s, nil
}

// read reads the state and the changes. A last line without its end was never
// answered, and is left out.
func (s *state) read(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(s); err != nil {
		return err
	}
	if s.Format != 1 && s.Format != format {
		return fmt.Errorf("its format is %d, which this version does not know", s.Format)
	}
	s.Format = format
	s.index()
	_, text, _ = bytes.Cut(text[d.InputOffset():], []byte{'\n'})
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			return nil
		}
		text = rest
		var c change
		err := json.Unmarshal(line, &c)
		if err == nil {
			err = s.apply(&c)
		}
		if err != nil {
			return fmt.Errorf("change %d: %w", n, err)
		}
	}
}

// save puts a change into the file, behind the state that it changes.
func (f *file) save(s *state, c *change) error {
	if f.path == "" {
		return nil
	}
	err := f.append(c)
	if errors.Is(err, errNotOurs) {
		err = f.snapshot(s)
		if err == nil {
			err = f.append(c)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the dev registry's file %s: %w", f.path, err)
	}
	return nil
}

var errNotOurs = errors.New("the file is not as it was left")

// append adds a line. What it leaves of one on an error is put away by the next.
func (f *file) append(c *change) (err error) {
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errNotOurs
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := out.Close(); err == nil {
			err = e
		}
	}()
	if info, err := out.Stat(); err != nil || info.Size() != f.size {
		return errors.Join(err, errNotOurs)
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	size := f.size
	f.size = -1 // until all of it is there
	if _, err := out.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	f.size = size + int64(len(line)) + 1
	return nil
}

// snapshot replaces the file by one with that state, whole or not at all. What a kill
// leaves of the new one is overwritten by the next.
func (f *file) snapshot(s *state) (err error) {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	f.size = -1
	out, err := os.OpenFile(f.path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	_, err = out.Write(text)
	if err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(out.Name(), f.path)
	}
	if err == nil {
		f.size = int64(len(text))
	}
	return err
}
