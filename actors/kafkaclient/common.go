package kafkaclient

import (
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/codec/configdef"
)

// Limits that franz-go sets to its options; Java has none of them.
const (
	minRequestTimeout = 100 * time.Millisecond
	maxRequestTimeout = 15 * time.Minute
	minIdle           = 100 * time.Millisecond
	maxIdle           = 15 * time.Minute
	maxMetadataAge    = time.Hour
	maxClientID       = 256
	mostBytes         = 1 << 30
)

// address is Kafka's form of a broker: an optional protocol, a host name or an
// address in brackets, a port.
var address = regexp.MustCompile(`^(?:[0-9A-Za-z\-%._]*://)?\[?([0-9A-Za-z\-%._:]*)\]?:([0-9]+)$`)

func (b *build) bootstrap(v value) {
	const name = "bootstrap.servers"
	var seeds []string
	for _, url := range v.list {
		if url == "" {
			continue
		}
		m := address.FindStringSubmatch(url)
		if m == nil || m[1] == "" {
			b.fail(configdef.ErrorOn(name, "Invalid url in bootstrap.servers: %s", url))
			continue
		}
		port, err := strconv.Atoi(m[2])
		if err != nil || port > 65535 {
			b.fail(configdef.ErrorOn(name, "Invalid port in bootstrap.servers: %s", url))
			continue
		}
		seeds = append(seeds, net.JoinHostPort(m[1], m[2]))
	}
	if len(seeds) == 0 {
		if len(v.list) == 0 || v.text == "" {
			b.fail(configdef.ErrorOn(name, "No bootstrap urls given in bootstrap.servers"))
		}
		return
	}
	b.out.Settings.BootstrapServers = seeds
	b.add(kgo.SeedBrokers(seeds...))
}

func (b *build) clientID(v value) {
	id := v.text
	if id == "" {
		id = b.env.ClientID
	}
	if len(id) > maxClientID { // Java's clients take any; a connector's name makes up most of it
		id = strings.ToValidUTF8(id[:maxClientID], "")
	}
	b.out.Settings.ClientID = id
	b.add(kgo.ClientID(id))
}

// metadataMinAge is the shortest time between two metadata requests. Java waits
// retry.backoff.ms and doubles it up to retry.backoff.max.ms; this client has one
// value, and below 250 ms a topic that doesn't exist would load the brokers.
func (b *build) metadataMinAge() time.Duration {
	return clamp(millis(b.values["retry.backoff.max.ms"].n), 250*time.Millisecond, 5*time.Second)
}

func (b *build) metadataAge(v value) {
	low := b.metadataMinAge()
	b.add(kgo.MetadataMinAge(low), kgo.MetadataMaxAge(clamp(millis(v.n), max(low, time.Second), maxMetadataAge)))
}

func (b *build) retries(v value) {
	first, most := millis(b.values["retry.backoff.ms"].n), millis(v.n)
	b.add(kgo.RetryBackoffFn(func(fails int) time.Duration { return backoff(first, most, fails, rand.Float64()) }))
}

// backoff is the wait before the try that follows the given number of failures:
// KIP-580's, doubling, with 20 % of chance, which moves the longest wait as well.
// random is between 0 and 1.
func backoff(first, most time.Duration, fails int, random float64) time.Duration {
	d := float64(min(first, most))
	for i := 1; i < fails && d < float64(most); i++ {
		d *= 2
	}
	return time.Duration(min(d, float64(most)) * (0.8 + 0.4*random))
}

func (b *build) requestTimeout(v value) {
	d := clamp(millis(v.n), minRequestTimeout, maxRequestTimeout)
	b.out.Settings.RequestTimeout = d
	b.add(kgo.RequestTimeoutOverhead(d))
	if b.kind == Producer {
		b.add(kgo.ProduceRequestTimeout(d))
	}
}

func (b *build) idle(v value) {
	d := millis(v.n)
	if v.n < 0 {
		d = maxIdle
	}
	b.add(kgo.ConnIdleTimeout(clamp(d, minIdle, maxIdle)))
}

func (b *build) metricsPush(v value) {
	if !v.b {
		b.add(kgo.DisableClientMetrics())
	}
}

func (b *build) adminRetries(v value) { b.add(kgo.RequestRetries(int(v.n))) }

func kgoRetryTimeout(d time.Duration) kgo.Opt { return kgo.RetryTimeout(d) }
