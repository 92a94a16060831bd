// The endpoint as a Go developer writes it: net/http and franz-go. The signature and the JSON are checked, the bytes go on
// as they came, 200 is said when all in-sync replicas have them.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	key := []byte(os.Getenv("SIGNING_KEY"))
	linger, err := time.ParseDuration(os.Getenv("LINGER_MS") + "ms")
	if err != nil {
		panic(err)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("BOOTSTRAP_SERVERS")), kgo.DefaultProduceTopic(os.Getenv("TOPIC")),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(linger), kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		panic(err)
	}
	http.HandleFunc("POST /ingest", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(400)
			return
		}
		digest := hmac.New(sha1.New, key)
		digest.Write(body)
		signature, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Signature"))
		if err != nil || !hmac.Equal(digest.Sum(nil), signature) {
			w.WriteHeader(401)
			return
		}
		if !json.Valid(body) {
			w.WriteHeader(400)
			return
		}
		done := make(chan error, 1)
		client.Produce(r.Context(), &kgo.Record{Value: body}, func(_ *kgo.Record, err error) { done <- err })
		if <-done != nil {
			w.WriteHeader(503)
			return
		}
		w.WriteHeader(200)
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
