package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster/store"
	"github.com/troupeio/troupe/connectors"
)

// Groups is the [SinkGroups] of Kafka: an admin client of the connector's settings
// for each call.
type Groups struct {
	Worker map[string]string // the worker's properties
	Log    *slog.Logger
}

var _ SinkGroups = (*Groups)(nil)

// with calls f with an admin client and the connector's group.
func (g *Groups) with(name string, config map[string]string, f func(adm *kadm.Client, group string) error) error {
	id := "connector-worker-adminclient-" + name
	res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.AdminProps(g.Worker, config, id), kafkaclient.Env{Logger: g.Log, ClientID: id})
	if err != nil {
		return fmt.Errorf("configuring the admin client of connector %s: %w", name, err)
	}
	cl, err := kgo.NewClient(res.Opts...)
	if err != nil {
		return fmt.Errorf("making the admin client of connector %s: %w", name, err)
	}
	defer cl.Close()
	group := kafkaclient.ConsumerProps(g.Worker, config, name, "")["group.id"]
	return f(kadm.NewClient(cl), group)
}

// Offsets implements [SinkGroups].
func (g *Groups) Offsets(ctx context.Context, name string, config map[string]string) (map[connectors.TopicPartition]int64, error) {
	out := make(map[connectors.TopicPartition]int64)
	err := g.with(name, config, func(adm *kadm.Client, group string) error {
		offs, err := store.ListGroupOffsets(ctx, adm, group)
		for _, o := range offs {
			out[o.Partition] = o.Offset
		}
		return err
	})
	return out, err
}

// Alter implements [SinkGroups].
func (g *Groups) Alter(ctx context.Context, name string, config map[string]string, offsets map[connectors.TopicPartition]*int64) error {
	set := make(map[connectors.TopicPartition]int64)
	var remove []connectors.TopicPartition
	for tp, off := range offsets {
		if off == nil {
			remove = append(remove, tp)
		} else {
			set[tp] = *off
		}
	}
	return g.with(name, config, func(adm *kadm.Client, group string) error {
		if err := store.AlterGroupOffsets(ctx, adm, group, set); err != nil {
			return err
		}
		return store.DeleteGroupOffsets(ctx, adm, group, remove)
	})
}

// Reset implements [SinkGroups].
func (g *Groups) Reset(ctx context.Context, name string, config map[string]string) error {
	return g.with(name, config, func(adm *kadm.Client, group string) error { return store.ResetGroup(ctx, adm, group) })
}

// Evict implements [SinkGroups].
func (g *Groups) Evict(ctx context.Context, name string, config map[string]string, instance string) error {
	return g.with(name, config, func(adm *kadm.Client, group string) error {
		res, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instance).Reason("the task has ended"))
		if err != nil {
			return err
		}
		if err := res.Error(); err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.GroupIDNotFound) {
			return err
		}
		return nil
	})
}
