package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// ConnectOptions says how to run a Kafka Connect worker.
type ConnectOptions struct {
	Standalone bool
	Worker     map[string]string // worker properties, over the defaults of [ConnectWorkerProperties]
	Connectors []string          // standalone: connector files for the command line
	JVM        []string          // java options; empty means [ConnectJVM]
	Dir        string            // for its files; empty means a temporary one that Close removes
}

// ConnectJVM are the java options of Kafka's own start script for Connect,
// with its heap of 2 GB.
func ConnectJVM() []string {
	return []string{"-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"}
}

// ConnectWorkerProperties are worker properties for a REST port of 127.0.0.1
// and one broker: StringConverter, and internal topics named after the group
// and kept once (standalone: an offsets file in dir).
func ConnectWorkerProperties(bootstrap, group, dir string, port int, standalone bool) map[string]string {
	p := map[string]string{
		"bootstrap.servers": bootstrap,
		"listeners":         "HTTP://127.0.0.1:" + strconv.Itoa(port),
		"key.converter":     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":   "org.apache.kafka.connect.storage.StringConverter",
	}
	if standalone {
		p["offset.storage.file.filename"] = filepath.Join(dir, "offsets")
		return p
	}
	p["group.id"] = group
	for _, kind := range []string{"config", "offset", "status"} {
		p[kind+".storage.topic"] = group + "-" + kind + "s"
		p[kind+".storage.replication.factor"] = "1"
	}
	return p
}

// Connect is one running Kafka Connect worker.
type Connect struct {
	*Process
	url    string
	ownDir string // removed by Close; empty when the caller gave one
}

// RunConnect starts a worker and does not wait until it is ready. The caller
// closes it.
func RunConnect(ctx context.Context, bootstrap string, o ConnectOptions) (_ *Connect, err error) {
	dist, err := Fetch(ctx)
	if err != nil {
		return nil, err
	}
	c := &Connect{}
	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "kafkaconnect-"); err != nil {
			return nil, fmt.Errorf("making the worker's directory: %w", err)
		}
		c.ownDir = dir
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	c.url = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	props := ConnectWorkerProperties(bootstrap, "connect-"+strconv.Itoa(ports[0]), dir, ports[0], o.Standalone)
	props["plugin.path"] = dist.PluginPath()
	maps.Copy(props, o.Worker)
	worker, log4j := filepath.Join(dir, "worker.properties"), filepath.Join(dir, "log4j2.properties")
	if err := WriteProperties(worker, props); err != nil {
		return nil, err
	}
	if err := os.WriteFile(log4j, []byte(log4jProperties), 0o644); err != nil {
		return nil, fmt.Errorf("writing the worker's logging settings: %w", err)
	}
	class := "org.apache.kafka.connect.cli.ConnectDistributed"
	if o.Standalone {
		class = "org.apache.kafka.connect.cli.ConnectStandalone"
	}
	args := o.JVM
	if len(args) == 0 {
		args = ConnectJVM()
	}
	args = append(append([]string{}, args...), "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+log4j,
		"-cp", dist.ClassPath(), class, worker)
	args = append(args, o.Connectors...)
	c.Process, err = StartProcess(ProcessSpec{Path: dist.Java, Args: args, Dir: dir, LogFile: filepath.Join(dir, "connect.log")})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// URL is the worker's REST address, without a slash at the end. It holds for
// the default listeners only.
func (c *Connect) URL() string { return c.url }

// WaitReady waits until GET /connectors answers 200: the worker has read its
// config topic.
func (c *Connect) WaitReady(ctx context.Context) error {
	if err := WaitREST(ctx, c.url, c.Done()); err != nil {
		return fmt.Errorf("starting Kafka Connect: %w; the end of its log:\n%s", err, c.Tail(tailLines))
	}
	return nil
}

// WaitREST waits until GET /connectors at base answers 200. It ends early when
// the process behind ended is gone.
func WaitREST(ctx context.Context, base string, ended <-chan struct{}) error {
	return poll(ctx, ended, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/connectors", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		if resp.StatusCode != http.StatusOK {
			return errors.New("GET /connectors answers " + resp.Status)
		}
		return nil
	})
}

// Close kills the worker and removes its files, unless the caller gave the
// directory.
func (c *Connect) Close() {
	if c.Process != nil {
		c.Kill()
	}
	if c.ownDir != "" {
		_ = os.RemoveAll(c.ownDir) // a temporary directory; nobody uses it any more
	}
}

// StartConnect starts a Kafka Connect worker for one test and returns when its
// REST interface answers.
func StartConnect(t testing.TB, b *Broker, o ConnectOptions) *Connect {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout+startTimeout)
	defer cancel()
	c, err := RunConnect(ctx, b.Addr(), o)
	skipOrFail(t, err)
	t.Cleanup(c.Close)
	ready, cancelReady := context.WithTimeout(ctx, startTimeout)
	defer cancelReady()
	if err := c.WaitReady(ready); err != nil {
		t.Fatal(err)
	}
	return c
}

// Stop shuts the worker down in order, as SIGTERM does.
func (c *Connect) Stop() error { return c.Process.Stop(stopGrace + 30*time.Second) }
