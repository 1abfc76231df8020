package kafkatest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// StartConnectFile starts a distributed Kafka Connect worker with a properties file
// that is the caller's and stays as it is, and returns when its REST interface, which
// is at url, answers. Its own files go next to the properties.
func StartConnectFile(t testing.TB, file, url string, jvm ...string) *Connect {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout+startTimeout)
	defer cancel()
	dist, err := Fetch(ctx)
	skipOrFail(t, err)
	if len(jvm) == 0 {
		jvm = ConnectJVM()
	}
	dir := filepath.Dir(file)
	log4j := filepath.Join(dir, "log4j2.properties")
	if err := os.WriteFile(log4j, []byte(log4jProperties), 0o644); err != nil {
		t.Fatalf("writing the worker's logging settings: %v", err)
	}
	args := append(append([]string{}, jvm...), "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+log4j,
		"-cp", dist.ClassPath(), "org.apache.kafka.connect.cli.ConnectDistributed", file)
	c := &Connect{url: url}
	if c.Process, err = StartProcess(ProcessSpec{Path: dist.Java, Args: args, Dir: dir, LogFile: filepath.Join(dir, "connect.log")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ready, cancelReady := context.WithTimeout(ctx, startTimeout)
	defer cancelReady()
	if err := c.WaitReady(ready); err != nil {
		t.Fatal(err)
	}
	return c
}

// BuildPlugin compiles Java sources against Kafka Connect and returns a directory for
// plugin.path that holds them as one jar. Without a JDK the test is skipped.
func BuildPlugin(t testing.TB, name string, sources ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout+startTimeout)
	defer cancel()
	dist, err := Fetch(ctx)
	skipOrFail(t, err)
	path, classes := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(path, name), 0o755); err != nil {
		t.Fatal(err)
	}
	skipOrFail(t, dist.Compile(ctx, classes, nil, sources...))
	if err := Jar(filepath.Join(path, name, name+".jar"), classes, nil); err != nil {
		t.Fatalf("making a jar of %s: %v", name, err)
	}
	return path
}

// FilePlugins is the directory for plugin.path with Kafka Connect's file connectors.
func FilePlugins(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	dist, err := Fetch(ctx)
	skipOrFail(t, err)
	return dist.PluginPath()
}
