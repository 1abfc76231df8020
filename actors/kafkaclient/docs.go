package kafkaclient

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteDocs writes docs/kafka-clients.md: how properties are combined, and every row
// of the table.
func WriteDocs(w io.Writer) error {
	var s strings.Builder
	s.WriteString(docsHead)
	for _, section := range []struct {
		title, intro string
		rows         []Entry
	}{
		{"All clients", "", commonTable()},
		{"TLS", docsTLS, tlsTable()},
		{"SASL", docsSASL, saslTable()},
		{"Producer", docsProducer, producerTable()},
		{"Consumer", "", consumerTable()},
		{"Admin", "", adminTable()},
	} {
		fmt.Fprintf(&s, "\n## %s\n\n", section.title)
		if section.intro != "" {
			s.WriteString(section.intro + "\n\n")
		}
		s.WriteString("| Property | Clients | Type | Kafka's default | Here | |\n|---|---|---|---|---|---|\n")
		rows := slices.Clone(section.rows)
		slices.SortStableFunc(rows, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
		for _, e := range rows {
			fmt.Fprintf(&s, "| `%s` | %s | %s | %s | %s | %s |\n", e.Name, e.kinds.text(),
				strings.ToLower(string(e.Type)), e.defaultText(), e.Effect, strings.ReplaceAll(e.Note, "|", `\|`))
		}
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (s kindSet) text() string {
	if s == every {
		return "all"
	}
	var names []string
	for _, k := range []Kind{Producer, Consumer, Admin} {
		if s.has(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, ", ")
}

func (e *Entry) defaultText() string {
	switch {
	case e.Required:
		return "required"
	case e.Null:
		return "null"
	case e.Default == "":
		return "empty"
	default:
		return "`" + strings.ReplaceAll(e.Default, ",", ", ") + "`"
	}
}

const docsHead = `# Kafka client properties

This page is generated from the table in package ` + "`actors/kafkaclient`" + `; change the table, not the page.

Settings for Kafka clients are written as for Kafka Connect and with the names of Kafka's Java clients. A client's
properties are put together in three layers, later ones win:

1. built-in values,
2. the worker's settings with the prefix ` + "`producer.`, `consumer.` or `admin.`" + `,
3. the connector's overrides, ` + "`producer.override.`, `consumer.override.` or `admin.override.`" + `, as far as
   ` + "`connector.client.config.override.policy`" + ` (All, None or Principal) lets them.

Connectors' producers and consumers inherit only ` + "`bootstrap.servers`" + ` from the worker's settings without prefix; the
worker's own clients and connectors' admin clients use them all. A worker that needs SASL or TLS therefore repeats the
security settings with the prefixes, as with Kafka Connect.

| Client | Built-in values |
|---|---|
| source producer | ` + "`max.block.ms=9223372036854775807`, `enable.idempotence=true`, `acks=all`, `max.in.flight.requests.per.connection=5`, `delivery.timeout.ms=2147483647`, `client.id=connector-producer-<task>`; where a setting excludes idempotence, `enable.idempotence=false` and `max.in.flight.requests.per.connection=1`, Kafka Connect's values" + ` |
| sink consumer | ` + "`group.id=connect-<name>`, `enable.auto.commit=false`, `auto.offset.reset=earliest`, `client.id=connector-consumer-<task>`" + ` |
| source offsets consumer | ` + "`enable.auto.commit=false`, `auto.offset.reset=earliest`, `isolation.level=read_committed`" + `; no group |
| admin | ` + "`client.id=connector-adminclient-<task>`" + ` |

What becomes of a property is one of these:

* **mapped**: it does what it does in Kafka's client, with the differences that its line names.
* **used by the worker**: the worker acts on it, not the client.
* **no effect**: it is accepted, changes nothing, and the log says so once.
* **refused unless default**: another value stops the start (worker) or fails the connector, because ignoring it would
  be wrong or unsafe.

A name that is in no table is accepted, changes nothing, and the log says so once. A value that Kafka's client would
refuse is refused with Kafka's message. Values that are passwords never appear in messages.
`

const docsTLS = `The files are read when a client is made, and when overrides that concern TLS are validated, on the node that is
asked. A JKS or PKCS12 file must have its password; a PEM file must not have one,
only its key may. PEM texts may stand in one line. The same settings serve TLS listeners, there with
` + "`ssl.client.auth`" + ` (none, requested, required).`

const docsSASL = `Mechanisms and what they need in ` + "`sasl.jaas.config`" + `:

| Mechanism | Login module | Options |
|---|---|---|
| PLAIN | ` + "`" + plainModule + "`" + ` | ` + "`username`, `password`" + ` |
| SCRAM-SHA-256, SCRAM-SHA-512 | ` + "`" + scramModule + "`" + ` | ` + "`username`, `password`, `tokenauth`" + ` |
| OAUTHBEARER | ` + "`" + oauthModule + "`" + ` | ` + "`clientId`, `clientSecret`, `scope`, `extension_<name>`, `ssl.*` for the token endpoint" + `; without an endpoint ` + "`unsecuredLoginStringClaim_sub`" + ` and its like make an unsecured token for development |
| AWS_MSK_IAM | ` + "`" + iamModule + "`" + ` | ` + "`awsProfileName`" + `; roles to be assumed are refused |
| GSSAPI | ` + "`" + kerberosModule + "`" + ` | ` + "`useKeyTab=true`, `keyTab`, `principal`, `serviceName`" + `; ticket caches are refused |

AWS credentials come, in this order, from ` + "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`" + `; the shared
credentials and config files (` + "`AWS_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`" + `; keys only, no roles, no single
sign-on); the container's service (` + "`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`" + `); the instance's service, version
2. The region is read from the broker's name, else from ` + "`AWS_REGION` or `AWS_DEFAULT_REGION`" + `. Kerberos reads
` + "`KRB5_CONFIG`, else `/etc/krb5.conf`" + `.`

const docsProducer = `The producer writes a topic's partitions as Kafka's does: a partition in the record wins, then murmur2 of the key,
then the same partition for some bytes. Topics are created as the brokers allow.`
