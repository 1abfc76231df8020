package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/troupeio/troupe/cluster/devregistry"
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
			if err := register(ctx, r.URL(), lineSchema); err != nil {
				return nil, err
			}
		}
		return run(merge(config, map[string]string{
			"value.converter":                     "io.confluent.connect.avro.AvroConverter",
			"value.converter.schema.registry.url": r.URL(),
		}))(ctx, e, arm)
	}
}

// register gives a registry its first schema.
func register(ctx context.Context, url, schema string) error {
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/subjects/lines-value/versions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("registering the schema: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || string(bytes.TrimSpace(answer)) != `{"id":1}` {
		return fmt.Errorf("registering the schema: %s: %s (%w)", resp.Status, answer, err)
	}
	return nil
}
