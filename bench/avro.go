package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/troupeio/troupe/cluster/devregistry"
	"github.com/troupeio/troupe/codec/registry"
	"github.com/troupeio/troupe/internal/kafkatest"
)

// standInJava is the converter of Kafka Connect's arm.
//
//go:embed java/AvroDataConverter.java
var standInJava []byte

// standIn says what it is, in results.
const standIn = "not Confluent's, whose jar is not on Maven Central, but bench/java/AvroDataConverter.java: " +
	"AvroData as Apicurio has forked it (2.6.13.Final), Avro 1.12.1's GenericDatumWriter and GenericDatumReader, and the same registry over HTTP"

// avroNote goes under the Avro rows' figures.
const avroNote = "the registry is the one of `troupe dev`, in the benchmark's process; each schema is asked for once. " +
	"The converter of Kafka Connect's arm is " + standIn + "."

const (
	avroConverter  = "io.confluent.connect.avro.AvroConverter"
	standInClass   = "troupe.bench.AvroDataConverter"
	converterClass = "value.converter"
)

// lineSchema is what AvroConverter makes of the struct of the four transformations.
const lineSchema = `{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[` +
	`{"name":"text","type":"string"},{"name":"source","type":["null","string"],"default":null}]}`

// avro is what the four transformations and AvroConverter make of a line of
// lineLength bytes: a zero, the first id that a registry gives, the length, the line,
// the second branch of the union, and a string of five bytes. Lengths are zigzag
// varints.
var avro = form{"\x00\x00\x00\x00\x01\xbe\x01", "\x02\x0abench"}

// withRegistry runs a row beside a registry of its own, which its schema is
// registered with under the subject of any topic if the row reads.
func withRegistry(reads bool, run func(config map[string]string) func(context.Context, *env, string) (metrics, error), config map[string]string) func(context.Context, *env, string) (metrics, error) {
	return func(ctx context.Context, e *env, arm string) (m metrics, err error) {
		err = startRegistry(ctx, func(url string) error {
			if reads {
				if err := register(ctx, url); err != nil {
					return err
				}
			}
			class := avroConverter
			if arm == armConnect {
				plugins, err := e.standInPlugin(ctx)
				if err != nil {
					return err
				}
				class, e.plugins = standInClass, plugins
				defer func() { e.plugins = "" }()
			}
			m, err = run(merge(config, map[string]string{converterClass: class, converterClass + "." + registry.URLSetting: url}))(ctx, e, arm)
			return err
		})
		return m, err
	}
}

// startRegistry calls use with the address of a new registry, and ends it.
func startRegistry(ctx context.Context, use func(url string) error) (err error) {
	r, err := devregistry.Start(ctx, devregistry.Options{Addr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() {
		cctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, r.Close(cctx))
	}()
	return use(r.URL())
}

// besideRegistry runs the classes of an arm beside a registry of their own, and adds
// what is registered then to what came out.
func besideRegistry(ctx context.Context, warmUp, measure time.Duration, run func(ctx context.Context, schemas string, warmUp, measure time.Duration) ([]classRun, error)) (runs []classRun, err error) {
	err = startRegistry(ctx, func(url string) error {
		if runs, err = run(ctx, url, warmUp, measure); err != nil {
			return err
		}
		client, err := registryClient(url)
		if err != nil {
			return err
		}
		defer client.Close()
		s, err := client.ByID(ctx, 1, "")
		if err != nil {
			return fmt.Errorf("asking for the schema of the classes' records: %w", err)
		}
		for i, r := range runs {
			if j := slices.IndexFunc(classes.Cases, func(c classCase) bool { return c.Key == r.Key }); j >= 0 && classes.Cases[j].JavaClass != "" {
				runs[i].Output = append(r.Output, "registered "+s.Text)
			}
		}
		return nil
	})
	return runs, err
}

// compileStandIn compiles the stand-in and more Java into a folder, and returns the
// jars that it needs besides Kafka Connect's.
func compileStandIn(ctx context.Context, dist kafkatest.Dist, dir string, more ...string) (jars []string, err error) {
	jars, err = kafkatest.FetchAvroData(ctx)
	if err == nil {
		source := filepath.Join(dir, "AvroDataConverter.java")
		if err := os.WriteFile(source, standInJava, 0o644); err != nil {
			return nil, fmt.Errorf("writing the Avro converter of Kafka Connect's arm: %w", err)
		}
		err = dist.Compile(ctx, dir, jars, append(more, source)...)
	}
	if errors.Is(err, kafkatest.ErrUnavailable) {
		return nil, fmt.Errorf("%w: %w", errLeftOut, err)
	}
	return jars, err
}

// standInPlugin is a directory for plugin.path that holds the stand-in.
func (e *env) standInPlugin(ctx context.Context) (string, error) {
	path := filepath.Join(e.dir, "plugins")
	plugin := filepath.Join(path, "avrodata")
	if _, err := os.Stat(plugin); err == nil {
		return path, nil
	}
	dist, err := kafkatest.Fetch(ctx)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(e.dir, "stand-in-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the Avro converter of Kafka Connect's arm: %w", err)
	}
	jars, err := compileStandIn(ctx, dist, dir)
	if err != nil {
		return "", err
	}
	jar := filepath.Join(dir, "avrodata.jar")
	if err := kafkatest.Jar(jar, dir, map[string]string{"META-INF/services/org.apache.kafka.connect.storage.Converter": standInClass + "\n"}); err != nil {
		return "", fmt.Errorf("making a jar of the Avro converter of Kafka Connect's arm: %w", err)
	}
	// Under its name only when all is in it.
	made := filepath.Join(dir, "plugin")
	if err := os.Mkdir(made, 0o755); err != nil {
		return "", err
	}
	for _, jar := range append(jars, jar) {
		if err := os.Symlink(jar, filepath.Join(made, filepath.Base(jar))); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", err
	}
	return path, os.Rename(made, plugin)
}

// register gives a registry its first schema.
func register(ctx context.Context, url string) error {
	client, err := registryClient(url)
	if err != nil {
		return err
	}
	defer client.Close()
	id, err := client.Register(ctx, "lines-value", &registry.Schema{Type: registry.Avro, Text: lineSchema}, false)
	if err != nil {
		return fmt.Errorf("registering the schema of the lines: %w", err)
	}
	if id != 1 {
		return fmt.Errorf("the schema of the lines has the id %d, want 1", id)
	}
	return nil
}

func registryClient(url string) (*registry.Client, error) {
	settings, err := registry.Def().Parse(map[string]string{registry.URLSetting: url})
	if err != nil {
		return nil, err
	}
	return registry.NewClient(settings)
}
