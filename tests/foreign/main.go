// Reads a topic as a stranger would, with nothing of ours: franz-go, its schema registry client and hamba/avro.
//
//	foreign BOOTSTRAP_SERVERS REGISTRY_URL TOPIC RECORDS
//
// Prints each committed record as a JSON line: partition, offset, schema ID, and the value (null for a tombstone).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type line struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
	SchemaID  int   `json:"schema_id"`
	Value     any   `json:"value"`
}

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("usage: foreign BOOTSTRAP_SERVERS REGISTRY_URL TOPIC RECORDS"))
	}
	wanted, err := strconv.Atoi(os.Args[4])
	fail(err)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	registry, err := sr.NewClient(sr.URLs(os.Args[2]))
	fail(err)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Args[1]),
		kgo.ConsumeTopics(os.Args[3]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	fail(err)
	defer client.Close()
	read(ctx, client, registry, wanted)
}

func read(ctx context.Context, client *kgo.Client, registry *sr.Client, wanted int) {
	out := json.NewEncoder(os.Stdout)
	known := map[int]avro.Schema{}
	for seen := 0; seen < wanted; {
		fetches := client.PollFetches(ctx)
		for _, failed := range fetches.Errors() {
			fail(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			id, value := decode(ctx, registry, known, record.Value)
			fail(out.Encode(line{record.Partition, record.Offset, id, value}))
			seen++
		})
	}
}

func decode(ctx context.Context, registry *sr.Client, known map[int]avro.Schema, framed []byte) (int, any) {
	if framed == nil {
		return 0, nil
	}
	var header sr.ConfluentHeader
	id, body, err := header.DecodeID(framed)
	fail(err)
	if known[id] == nil {
		found, err := registry.SchemaByID(ctx, id)
		fail(err)
		known[id], err = avro.Parse(found.Schema)
		fail(err)
	}
	var value any
	fail(avro.Unmarshal(known[id], body, &value))
	return id, value
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
