package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupeio/troupe/cluster/devregistry"
	"github.com/troupeio/troupe/codec/registry"
)

// avroNote goes under the Avro rows' figures.
const avroNote = "the registry is the one of `troupe dev`, in the benchmark's process; each schema is asked for once. " +
	"Confluent's converter for Kafka Connect is not on Maven Central, so there is no arm beside ours: compare with the JSON rows."

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
	return func(ctx context.Context, e *env, arm string) (_ metrics, err error) {
		r, err := devregistry.Start(ctx, devregistry.Options{Addr: "127.0.0.1:0"})
		if err != nil {
			return nil, err
		}
		defer func() {
			cctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			err = errors.Join(err, r.Close(cctx))
		}()
		if reads {
			if err := register(ctx, r.URL()); err != nil {
				return nil, err
			}
		}
		return run(merge(config, map[string]string{
			"value.converter":                        "io.confluent.connect.avro.AvroConverter",
			"value.converter." + registry.URLSetting: r.URL(),
		}))(ctx, e, arm)
	}
}

// register gives a registry its first schema.
func register(ctx context.Context, url string) error {
	settings, err := registry.Def().Parse(map[string]string{registry.URLSetting: url})
	if err != nil {
		return err
	}
	client, err := registry.NewClient(settings)
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
