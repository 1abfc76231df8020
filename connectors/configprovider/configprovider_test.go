package configprovider

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/connectors"
)

func TestReferences(t *testing.T) {
	for _, row := range []struct {
		name, value string
		want        []reference
	}{
		{"none", "plain", nil},
		{"no colon", "${abc}", nil},
		{"open", "${env:A", nil},
		{"key", "${env:A}", []reference{{"env", "", "A", 0, 8}}},
		{"path and key", "${file:/a/b:k}", []reference{{"file", "/a/b", "k", 0, 14}}},
		{"further colons are the key's", "${f:p:k:l}", []reference{{"f", "p", "k:l", 0, 10}}},
		{"empty path", "${f::k}", []reference{{"f", "", "k", 0, 7}}},
		{"empty key", "${f:}", []reference{{"f", "", "", 0, 5}}},
		{"empty provider", "${:k}", []reference{{"", "", "k", 0, 5}}},
		{"several with text", "x${e:A}y${e:B}z", []reference{{"e", "", "A", 1, 7}, {"e", "", "B", 8, 14}}},
		{"after one without colon", "${a}${e:A}", []reference{{"e", "", "A", 4, 10}}},
		{"nested begins outside", "${${e:A}}", []reference{{"${e", "", "A", 0, 8}}},
		{"unclosed swallows", "${a ${e:A}", []reference{{"a ${e", "", "A", 0, 10}}},
		{"dollars before", "$$${e:A}", []reference{{"e", "", "A", 2, 8}}},
		{"over two lines", "${e:A\nB}", []reference{{"e", "", "A\nB", 0, 8}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := references(row.value); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if got := HasReference(row.value); got != (row.want != nil) {
				t.Errorf("HasReference = %v", got)
			}
		})
	}
}

// FuzzReferences compares with the pattern that Kafka's documentation gives.
func FuzzReferences(f *testing.F) {
	pattern := regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)
	for _, s := range []string{"${env:A}", "${f:p:k:l}", "${${e:A}}", "${a}${e:A}x", "${a:b", "$${:}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var want []reference
		group := func(m []int, n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return value[m[2*n]:m[2*n+1]]
		}
		for _, m := range pattern.FindAllStringSubmatchIndex(value, -1) {
			want = append(want, reference{group(m, 1), group(m, 3), group(m, 4), m[0], m[1]})
		}
		if got := references(value); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", value, got, want)
		}
	})
}

// files lays out a directory: allowed/{s.properties,token,pipe-free names}, a
// file outside it, and links both ways.
func files(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("allowed/s.properties", "user=me\npass=s3cret ${env:HOME}\nn\\u00e4me=ü\nempty=\n")
	write("allowed/bad.properties", "a=\\u12")
	write("allowed/token", "tok\n")
	write("allowed/latin", "caf\xe9")
	write("allowed/sub/deep", "deep")
	write("allowed/..data/real", "mounted")
	write("outside/token", "other")
	write("allowed-not/token", "sibling")
	link("../outside/token", "allowed/escape")
	link("../outside", "allowed/escapedir")
	link("..data/real", "allowed/mounted")
	link(filepath.Join(root, "allowed"), "way-in")
	return root
}

func TestResolve(t *testing.T) {
	root := files(t)
	worker := func(extra map[string]string) map[string]string {
		props := map[string]string{
			"config.providers":             "file, dir,env,noclass",
			"config.providers.file.class":  "org.apache.kafka.common.config.provider.FileConfigProvider",
			"config.providers.dir.class":   "DirectoryConfigProvider",
			"config.providers.env.class":   "EnvVar",
			"config.providers.unasked.foo": "x",
		}
		maps.Copy(props, extra)
		return props
	}
	onlyAllowed := map[string]string{
		"config.providers.file.param.allowed.paths": root + "/outside/../allowed",
		"config.providers.dir.param.allowed.paths":  root + "/allowed/",
	}
	oneFile := map[string]string{"config.providers.file.param.allowed.paths": root + "/allowed/s.properties"}
	viaLink := map[string]string{"config.providers.dir.param.allowed.paths": root + "/way-in"}

	for _, row := range []struct {
		name        string
		extra       map[string]string
		value, want string // $R is the root; want "" is the value itself
		err         string
	}{
		{name: "plain", value: "plain"},
		{name: "file", value: "${file:$R/allowed/s.properties:user}", want: "me"},
		{name: "mixed", value: "u=${file:$R/allowed/s.properties:user};t=${dir:$R/allowed:token}", want: "u=me;t=tok\n"},
		{name: "single pass", value: "${file:$R/allowed/s.properties:pass}", want: "s3cret ${env:HOME}"},
		{name: "utf-8 key and value", value: "${file:$R/allowed/s.properties:näme}", want: "ü"},
		{name: "empty value", value: "<${file:$R/allowed/s.properties:empty}>", want: "<>"},
		{name: "missing key", value: "${file:$R/allowed/s.properties:nope}"},
		{name: "file without path", value: "${file:user}"},
		{name: "unknown provider", value: "${vault:$R/allowed/s.properties:user}"},
		{name: "provider without class", value: "${noclass:a}"},
		{name: "missing file", value: "${file:$R/none:user}", err: "Could not read properties from file $R/none"},
		{name: "malformed file", value: "${file:$R/allowed/bad.properties:a}", err: "Could not read properties from file $R/allowed/bad.properties"},
		{name: "directory as file", value: "${file:$R/allowed:a}", err: "Could not read properties from file $R/allowed"},
		{name: "allowed file", extra: onlyAllowed, value: "${file:$R/allowed/s.properties:user}", want: "me"},
		{name: "not allowed file", extra: onlyAllowed, value: "${file:$R/outside/token:user}"},
		{name: "not allowed and missing", extra: onlyAllowed, value: "${file:$R/outside/none:user}"},
		{name: "dots out", extra: onlyAllowed, value: "${file:$R/allowed/../outside/token:other}"},
		{name: "dots in", extra: onlyAllowed, value: "${file:$R/outside/../allowed/s.properties:user}", want: "me"},
		{name: "sibling with the same beginning", extra: onlyAllowed, value: "${file:$R/allowed-not/token:sibling}"},
		{name: "link out", extra: onlyAllowed, value: "${file:$R/allowed/escape:other}"},
		{name: "link out without a list", value: "<${file:$R/allowed/escape:other}>", want: "<>"},
		{name: "relative is not allowed", extra: onlyAllowed, value: "${file:s.properties:user}"},
		{name: "allowed path is a file", extra: oneFile, value: "${file:$R/allowed/s.properties:user}", want: "me"},
		{name: "beside the allowed file", extra: oneFile, value: "${file:$R/allowed/token:tok}"},
		{name: "directory", value: "${dir:$R/allowed:token}", want: "tok\n"},
		{name: "not utf-8", value: "${dir:$R/allowed:latin}", want: "caf\ufffd"},
		{name: "no such file", value: "${dir:$R/allowed:none}"},
		{name: "key is a directory", value: "${dir:$R/allowed:sub}"},
		{name: "key is a path", value: "${dir:$R/allowed:sub/deep}"},
		{name: "key climbs", value: "${dir:$R/allowed/sub:../token}"},
		{name: "path is a file", value: "${dir:$R/allowed/token:x}"},
		{name: "path is missing", value: "${dir:$R/none:x}"},
		{name: "dir without path", value: "${dir:token}"},
		{name: "allowed directory", extra: onlyAllowed, value: "${dir:$R/allowed/sub:deep}", want: "deep"},
		{name: "not allowed directory", extra: onlyAllowed, value: "${dir:$R/outside:token}"},
		{name: "file link out", extra: onlyAllowed, value: "${dir:$R/allowed:escape}"},
		{name: "directory link out", extra: onlyAllowed, value: "${dir:$R/allowed/escapedir:token}"},
		{name: "link inside", extra: onlyAllowed, value: "${dir:$R/allowed:mounted}", want: "mounted"},
		{name: "allowed path is a link", extra: viaLink, value: "${dir:$R/way-in:token}", want: "tok\n"},
		{name: "the link's target as written", extra: viaLink, value: "${dir:$R/allowed:token}"},
		{name: "env", value: "${env:DB_PASS}", want: "hunter2=x"},
		{name: "env missing", value: "${env:NONE}"},
		{name: "env with path", value: "${env:p:DB_PASS}", err: "Path is not supported for EnvVarConfigProvider, invalid value 'p'"},
		{
			name: "env allowed", extra: map[string]string{"config.providers.env.param.allowlist.pattern": "DB_.*|OTHER"},
			value: "${env:DB_PASS}", want: "hunter2=x",
		},
		{
			name: "env matched in part only", extra: map[string]string{"config.providers.env.param.allowlist.pattern": "DB|PASS"},
			value: "${env:DB_PASS}",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := func(s string) string { return strings.ReplaceAll(s, "$R", root) }
			var log bytes.Buffer
			r, err := New(worker(row.extra), WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithEnviron([]string{"DB_PASS=hunter2=x", "odd"}))
			if err != nil {
				t.Fatal(err)
			}
			raw := map[string]string{"k": in(row.value), "other": "o"}
			got, ttls, err := r.Resolve(t.Context(), raw)
			if row.err != "" {
				if err == nil || err.Error() != in(row.err) || connectors.ClassOf(err) != connectors.Configuration {
					t.Fatalf("got error %v, want %s", err, in(row.err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := in(row.want)
			if row.want == "" {
				want = in(row.value)
			}
			if got["k"] != want || got["other"] != "o" || len(got) != 2 || len(ttls) != 0 {
				t.Errorf("got %q (times to live %v), want %q", got, ttls, want)
			}
			if raw["k"] != in(row.value) {
				t.Error("the argument was changed")
			}
			for _, secret := range []string{"s3cret", "hunter2", "tok\\n"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log shows a value: %s", log.String())
				}
			}
		})
	}
}

func TestNotAllowedWarns(t *testing.T) {
	root := files(t)
	var log bytes.Buffer
	r, err := New(map[string]string{
		"config.providers":                       "f",
		"config.providers.f.class":               "File",
		"config.providers.f.param.allowed.paths": root + "/allowed",
	}, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Resolve(t.Context(), map[string]string{"k": "${f:/etc/passwd:root}"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "The path /etc/passwd is not allowed to be accessed") {
		t.Errorf("log: %s", log.String())
	}
}

func TestNewErrors(t *testing.T) {
	for _, row := range []struct {
		name  string
		props map[string]string
		want  string
	}{
		{
			"unknown class", map[string]string{"config.providers.a.class": "com.example.Vault"},
			"Invalid value com.example.Vault for configuration config.providers.a.class: Class com.example.Vault could not be found.",
		},
		{
			"relative path", map[string]string{"config.providers.a.class": "File", "config.providers.a.param.allowed.paths": "etc"},
			"Invalid value etc for configuration config.providers.a.param.allowed.paths: Path etc is not absolute",
		},
		{
			"missing path", map[string]string{"config.providers.a.class": "Directory", "config.providers.a.param.allowed.paths": "/,/no/such/path"},
			"Invalid value /,/no/such/path for configuration config.providers.a.param.allowed.paths: Path /no/such/path does not exist",
		},
		{
			"bad pattern", map[string]string{"config.providers.a.class": "EnvVarConfigProvider", "config.providers.a.param.allowlist.pattern": "("},
			"Invalid value ( for configuration config.providers.a.param.allowlist.pattern: ",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.props["config.providers"] = "a"
			_, err := New(row.props)
			if err == nil || !strings.HasPrefix(err.Error(), row.want) {
				t.Fatalf("got %v, want %s", err, row.want)
			}
			if connectors.ClassOf(err) != connectors.Configuration || connectors.JavaClass(err) != connectors.ConfigException {
				t.Errorf("class %s, %s", connectors.ClassOf(err), connectors.JavaClass(err))
			}
		})
	}
}

// counting is a provider with a time to live that counts its calls.
type counting struct{ calls *[]string }

func (c counting) Get(_ context.Context, path string, keys []string) (map[string]string, time.Duration, error) {
	*c.calls = append(*c.calls, path+"?"+strings.Join(keys, ","))
	values := map[string]string{}
	for _, k := range keys {
		values[k] = strings.ToUpper(k)
	}
	if path == "forever" {
		return values, NoTTL, nil
	}
	return values, time.Minute, nil
}

func TestOneLookupAPathAndTTL(t *testing.T) {
	var calls []string
	r, err := New(
		map[string]string{"config.providers": "c", "config.providers.c.class": "Counting", "config.providers.c.param.p": "v"},
		WithClass("Counting", func(params map[string]string, prefix string) (Provider, error) {
			if params["p"] != "v" || len(params) != 1 || prefix != "config.providers.c.param." {
				t.Errorf("params %v, prefix %s", params, prefix)
			}
			return counting{&calls}, nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	got, ttls, err := r.Resolve(t.Context(), map[string]string{
		"1": "${c:p:a}${c:p:b}", "2": "${c:p:a}", "3": "${c:forever:z}", "4": "${c:x}",
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"1": "AB", "2": "A", "3": "Z", "4": "X"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := []string{"?x", "forever?z", "p?a,b"}; !reflect.DeepEqual(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if want := map[string]time.Duration{"p": time.Minute, "": time.Minute}; !reflect.DeepEqual(ttls, want) {
		t.Errorf("times to live %v, want %v", ttls, want)
	}
}

func TestRestoreReferences(t *testing.T) {
	raw := map[string]string{"pass": "${env:P}", "url": "jdbc:${env:H}/x", "plain": "p", "connector.only": "${env:Q}"}
	task := map[string]string{"pass": "secret", "url": "changed by the connector", "plain": "other", "task.id": "0"}
	got := RestoreReferences(raw, task)
	want := map[string]string{"pass": "${env:P}", "url": "jdbc:${env:H}/x", "plain": "other", "task.id": "0"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if task["pass"] != "secret" {
		t.Error("the argument was changed")
	}
}
