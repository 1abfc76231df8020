package registry

import (
	"crypto/tls"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/tlsconfig"
)

// tlsOf builds the TLS configuration of a client from Kafka's ssl.* settings,
// which have no prefix here; nil when none are given. Its error names the setting
// with its prefix.
func tlsOf(ssl map[string]string) (*tls.Config, error) {
	if len(ssl) == 0 {
		return nil, nil
	}
	c, err := tlsconfig.New(ssl, false)
	for _, bad := range configdef.Errors(err) {
		return nil, configdef.ErrorOn(sslPrefix+bad.Name, "%s%s: %s", sslPrefix, bad.Name, bad.Message)
	}
	return c, err
}
