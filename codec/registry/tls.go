package registry

import (
	"crypto/tls"

	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/codec/tlsconfig"
)

// sslOf returns Kafka's ssl.* settings, without the prefix that they have here; those
// that were given.
func sslOf(v *configdef.Values) map[string]string {
	out := map[string]string{}
	given := v.Originals()
	for _, k := range sslKeys {
		if text, ok := given[sslPrefix+k.Name]; ok {
			out[k.Name] = text
		}
	}
	return out
}

// tlsOf builds the TLS configuration of a client from what sslOf returned; nil when
// none of it was given.
func tlsOf(ssl map[string]string) (*tls.Config, error) {
	if len(ssl) == 0 {
		return nil, nil
	}
	return tlsconfig.New(ssl, false)
}

// tlsFaults is the rule about TLS: files are there, can be read and have the passwords
// that are given.
func tlsFaults(v *configdef.Values) (out []*configdef.Error) {
	_, err := tlsOf(sslOf(v))
	for _, e := range configdef.Errors(err) {
		out = append(out, configdef.ErrorOn(sslPrefix+e.Name, "%s%s: %s", sslPrefix, e.Name, e.Message))
	}
	return out
}
