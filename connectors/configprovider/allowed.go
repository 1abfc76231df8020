package configprovider

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/troupeio/troupe/connectors"
)

const allowedPathsParam = "allowed.paths"

// allowedPaths are the files and directories that a provider may read; nil
// allows all. Each is absolute and without "..".
type allowedPaths []string

func parseAllowedPaths(value, setting string) (allowedPaths, error) {
	if value == "" {
		return nil, nil
	}
	var allowed allowedPaths
	for path := range strings.SplitSeq(value, ",") {
		path = strings.TrimSpace(path)
		if !filepath.IsAbs(path) {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s: Path %s is not absolute", value, setting, path)
		}
		path = filepath.Clean(path)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s: Path %s does not exist", value, setting, path)
		} else if err != nil {
			return nil, connectors.ConfigError("Invalid value %s for configuration %s: %w", value, setting, err)
		}
		allowed = append(allowed, path)
	}
	return allowed, nil
}

// open opens path for reading. ok is false when it is not allowed, and err is
// about opening only.
//
// Both the path as written, "." and ".." resolved, and what its links lead to
// must be inside an allowed path. Kafka compares the former only, and so follows
// a link out of the allowed path.
func (a allowedPaths) open(path string) (f *os.File, ok bool, err error) {
	if a == nil {
		f, err = os.Open(path)
		return f, true, err
	}
	path = filepath.Clean(path)
	if !a.contains(path) {
		return nil, false, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, true, err
	}
	for _, allowed := range a {
		root, err := filepath.EvalSymlinks(allowed)
		if err != nil || !inside(real, root) {
			continue
		}
		f, err := openBelow(root, real)
		return f, true, err
	}
	return nil, false, nil
}

// openBelow opens path, which is root or below it and had no links a moment ago,
// in a way that a link put there since cannot lead out of root.
func openBelow(root, path string) (*os.File, error) {
	if root == path {
		// An allowed path may be a file; os.Root wants a directory.
		root = filepath.Dir(root)
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	name, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	return dir.Open(name)
}

func (a allowedPaths) contains(path string) bool {
	for _, allowed := range a {
		if inside(path, allowed) {
			return true
		}
	}
	return false
}

// inside reports whether path is dir or below it; both are clean.
func inside(path, dir string) bool {
	if path == dir {
		return true
	}
	if !strings.HasSuffix(dir, string(filepath.Separator)) {
		dir += string(filepath.Separator)
	}
	return strings.HasPrefix(path, dir)
}

// statOf returns what an opened file is, or the error of its opening.
func statOf(f *os.File, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// isRegular looks before the opening, which would wait for the other end of a
// named pipe.
func isRegular(path string) (bool, error) {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular(), err
}
