// Package kafkaclient turns the property names of Kafka's Java clients, which is
// what users of Kafka Connect write in a worker's producer., consumer. and admin.
// settings and in a connector's overrides, into options of the franz-go client.
//
// One table (see [Entries]) says of every property of Kafka 4.1 what becomes of it:
// it is mapped to an option, handed to the caller, understood but without effect
// here, or refused by name when its value asks for something that is not built.
// docs/kafka-clients.md is written from that table.
//
// It may import franz-go, the key store libraries and the standard library; of this
// module nothing. Besides package cluster it is the only one that builds franz-go
// options.
package kafkaclient
