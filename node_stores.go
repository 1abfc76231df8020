package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/actors/telemetry"
	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/group"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// openStores makes the stores of a core and joins the group: it creates or checks
// their topics and reads them to their end.
func (n *node) openStores(ctx context.Context, c *core) error {
	props, h, log := n.settings.Props, c.herder, n.logs.Logger(telemetry.LogStore)
	client := n.internalClient(ctx)
	// Whether this node may be here is asked while the topics are read; before it is
	// known nothing is written to them but the topics themselves.
	allowed := make(chan error, 1)
	if n.exclusive {
		gctx, gcancel := context.WithTimeout(ctx, time.Minute)
		defer gcancel()
		go func() {
			allowed <- group.Check(gctx, group.Options{Client: client, Group: props["group.id"]})
		}()
	} else {
		allowed <- nil
	}
	clusterID := make(chan idAnswer, 1)
	idCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() { clusterID <- lookUpClusterID(idCtx, client) }()
	var nodes *clustered
	if n.standalone() {
		configs := store.NewMemoryConfigStore(h, log)
		offs, err := store.NewFileOffsetStore(store.JavaOffsetFile(props["offset.storage.file.filename"]), log)
		if err != nil {
			return err
		}
		h.Configs, h.Options.Offsets, h.Statuses = configs, offs, store.NewMemoryStatusStore()
	} else {
		var err error
		if nodes, err = n.openTopics(ctx, c, client); err != nil {
			return err
		}
	}
	if err := <-allowed; err != nil {
		if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			err = &refused{err}
		}
		return err
	}
	if nodes != nil {
		if err := nodes.join(c); err != nil {
			return err
		}
		c.nodes = nodes
	}
	id := <-clusterID
	if id.err != nil {
		return fmt.Errorf("asking Kafka at %s for its cluster id: %w", props["bootstrap.servers"], id.err)
	}
	h.Options.Server = cluster.ServerInfo{Version: connectors.KafkaVersion, Commit: commit, KafkaClusterID: id.id}
	return nil
}

// openTopics makes the stores of a distributed worker and reads their topics to the
// end; the assignment log is among them where several nodes can be.
func (n *node) openTopics(ctx context.Context, c *core, client store.NewClient) (*clustered, error) {
	v, h := n.settings.Values, c.herder
	logs := store.NewLogs(store.Options{Client: client, Log: n.logs.Logger(telemetry.LogStore), Failed: func(err error) {
		c.fail(fmt.Errorf("an internal topic can no longer be read: %w", err))
	}})
	c.closers = append(c.closers, logs.Stop)
	extra := func(prefix string) map[string]string {
		out := make(map[string]string)
		for k, val := range n.settings.Props {
			rest, ok := strings.CutPrefix(k, prefix)
			if ok && rest != "topic" && rest != "partitions" && rest != "replication.factor" && rest != "file.filename" {
				out[rest] = val
			}
		}
		return out
	}
	configs := store.NewConfigStore(logs, store.ConfigTopic(v.String("config.storage.topic"), int16(v.Int("config.storage.replication.factor")), extra("config.storage.")), h)
	h.Configs = configs
	offs := store.NewOffsetStore(logs, store.OffsetTopic(v.String("offset.storage.topic"), int32(v.Int("offset.storage.partitions")), int16(v.Int("offset.storage.replication.factor")), extra("offset.storage.")))
	h.Options.Offsets = offs
	statuses := store.NewStatusStore(logs, store.StatusTopic(v.String("status.storage.topic"), int32(v.Int("status.storage.partitions")), int16(v.Int("status.storage.replication.factor")), extra("status.storage.")))
	c.closers = append(c.closers, statuses.Stop)
	h.Statuses = statuses
	var nodes *clustered
	if n.exclusive {
		var err error
		if nodes, err = n.newClustered(c, logs, configs, client, extra("assignment.storage.")); err != nil {
			return nil, err
		}
		nodes.co.GuardOffsets(offs)
	}
	if err := logs.Start(ctx); err != nil {
		return nodes, err
	}
	if nodes != nil {
		statuses.Fence(n.workerID, nodes.co.Log.Last())
	}
	return nodes, nil
}

// internalClient returns what makes the node's own clients. ctx is the node's life.
func (n *node) internalClient(ctx context.Context) store.NewClient {
	props := n.settings.Props
	id := strings.TrimPrefix(strings.Join([]string{props["group.id"], props["client.id"], "internal"}, "-"), "-")
	return func(extra ...kgo.Opt) (*kgo.Client, error) {
		res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.InternalProps(kafkaclient.Admin, props, id),
			kafkaclient.Env{Logger: n.logs.Logger(telemetry.LogStore), DialContext: dialWhile(ctx)})
		if err != nil {
			return nil, err
		}
		return kgo.NewClient(append(res.Opts, extra...)...)
	}
}

type idAnswer struct {
	id  string
	err error
}

// lookUpClusterID asks the broker who it is; standalone workers need it too.
func lookUpClusterID(ctx context.Context, client store.NewClient) idAnswer {
	cl, err := client()
	if err != nil {
		return idAnswer{err: err}
	}
	defer cl.Close()
	for {
		m, err := kadm.NewClient(cl).BrokerMetadata(ctx)
		var refused *kerr.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			return idAnswer{m.Cluster, err}
		}
		select { // the broker is away; it may come while ctx lasts
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
