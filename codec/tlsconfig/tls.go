// Package tlsconfig makes TLS configurations of Kafka's ssl.* settings: key stores
// and trust stores in Java's JKS and PKCS12 or as PEM, versions, cipher suites. It
// imports the standard library and what reads key stores.
package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/troupeio/troupe/codec/configdef"
)

// value is the text of a setting.
type value struct {
	text string   // trimmed
	set  bool     // written by the user, not the default
	null bool     // neither written nor a default
	list []string // of the settings that are lists
}

// defaults are the settings that Kafka has a default for.
var defaults = map[string]string{
	"ssl.protocol":                          "TLSv1.3",
	"ssl.enabled.protocols":                 "TLSv1.2,TLSv1.3",
	"ssl.keystore.type":                     "JKS",
	"ssl.truststore.type":                   "JKS",
	"ssl.endpoint.identification.algorithm": "https",
}

// read are the settings that [New] looks at, besides ssl.client.auth.
var read = []string{"ssl.protocol", "ssl.enabled.protocols", "ssl.cipher.suites", "ssl.keystore.type", "ssl.keystore.location",
	"ssl.keystore.password", "ssl.key.password", "ssl.keystore.key", "ssl.keystore.certificate.chain", "ssl.truststore.type",
	"ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.certificates", "ssl.endpoint.identification.algorithm"}

func valueOf(props map[string]string, name string) value {
	fallback, hasDefault := defaults[name]
	text, set := props[name]
	text = strings.TrimSpace(text)
	switch {
	case set && (text != "" || hasDefault):
	case hasDefault:
		text, set = fallback, false
	default:
		return value{null: true} // an empty location or password is none
	}
	return value{text: text, set: set, list: configdef.SplitList(text)}
}

// New builds a TLS configuration from Kafka's ssl.* settings, which have no prefix
// here; it looks at no other names. A client may have no key and may trust the
// system's certificates; a server must have a key, and asks for the client's
// certificate as ssl.client.auth (none, requested, required) says. Files are read
// once, now.
//
// The error joins all that is wrong, a [*configdef.Error] each.
func New(props map[string]string, server bool) (*tls.Config, error) {
	t := tlsProps{get: map[string]value{}}
	for _, name := range read {
		t.get[name] = valueOf(props, name)
	}
	c := &tls.Config{}
	t.versions(c)
	t.suites(c)
	key, err := t.keyStore()
	t.note(err)
	if key != nil {
		c.Certificates = []tls.Certificate{*key}
	}
	roots, err := t.trustStore()
	t.note(err)
	if server {
		t.server(c, roots, strings.TrimSpace(props["ssl.client.auth"]), key != nil || err != nil)
	} else {
		t.client(c, roots)
	}
	if len(t.errs) > 0 {
		return nil, errors.Join(t.errs...)
	}
	return c, nil
}

// tlsProps are the parsed ssl.* properties and what was found wrong with them.
type tlsProps struct {
	get  map[string]value
	errs []error
}

func (t *tlsProps) note(err error) {
	if err != nil {
		t.errs = append(t.errs, err)
	}
}

func tlsVersion(name string) (uint16, bool) {
	switch name {
	case "TLSv1":
		return tls.VersionTLS10, true
	case "TLSv1.1":
		return tls.VersionTLS11, true
	case "TLSv1.2":
		return tls.VersionTLS12, true
	case "TLSv1.3":
		return tls.VersionTLS13, true
	}
	return 0, false
}

// versions sets the lowest and the highest version. In Java ssl.enabled.protocols
// decides and ssl.protocol only names the context that it is made in, which bounds it
// from above.
func (t *tlsProps) versions(c *tls.Config) {
	enabled, protocol := t.get["ssl.enabled.protocols"], t.get["ssl.protocol"]
	var found []uint16
	for _, name := range enabled.list {
		v, ok := tlsVersion(name)
		if !ok {
			t.note(configdef.InvalidValue("ssl.enabled.protocols", name, "only TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3 are supported"))
			continue
		}
		found = append(found, v)
	}
	if len(found) == 0 {
		found = []uint16{tls.VersionTLS12, tls.VersionTLS13}
	}
	c.MinVersion, c.MaxVersion = slices.Min(found), slices.Max(found)
	if protocol.text == "TLS" {
		return
	}
	top, ok := tlsVersion(protocol.text)
	if !ok {
		t.note(configdef.InvalidValue("ssl.protocol", protocol.text, "only TLS, TLSv1.2 and TLSv1.3 are supported"))
		return
	}
	if enabled.set {
		return
	}
	c.MaxVersion = min(c.MaxVersion, top)
	c.MinVersion = min(c.MinVersion, c.MaxVersion)
}

// suites restricts the cipher suites. Go chooses among TLS 1.3's by itself, so they
// can only be allowed or, by leaving them all out, excluded with the version.
func (t *tlsProps) suites(c *tls.Config) {
	v := t.get["ssl.cipher.suites"]
	if len(v.list) == 0 {
		return
	}
	ids := map[string]*tls.CipherSuite{}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		ids[s.Name] = s
	}
	var modern bool
	for _, name := range v.list {
		s, ok := ids[name]
		switch {
		case !ok:
			t.note(configdef.InvalidValue("ssl.cipher.suites", name, "no such cipher suite"))
		case slices.Contains(s.SupportedVersions, tls.VersionTLS13):
			modern = true
		default:
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	}
	switch {
	case !modern:
		c.MaxVersion = min(c.MaxVersion, tls.VersionTLS12)
	case len(c.CipherSuites) == 0:
		c.MinVersion = max(c.MinVersion, tls.VersionTLS13)
	}
	if c.MinVersion > c.MaxVersion {
		t.note(configdef.ErrorOn("ssl.cipher.suites", "ssl.cipher.suites has no cipher suite for the versions in ssl.enabled.protocols"))
	}
}

func (t *tlsProps) client(c *tls.Config, roots *x509.CertPool) {
	c.RootCAs = roots
	switch v := t.get["ssl.endpoint.identification.algorithm"]; {
	case strings.EqualFold(v.text, "https"):
	case v.text == "":
		// Go can only leave out both checks, so the chain's is made by hand.
		c.InsecureSkipVerify = true
		c.VerifyConnection = verifyChain(roots)
	default:
		t.note(configdef.InvalidValue("ssl.endpoint.identification.algorithm", v.text, "only https and the empty string are supported"))
	}
}

// verifyChain checks the peer's certificates against roots but not its name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server sent no certificate")
		}
		between := x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}

func (t *tlsProps) server(c *tls.Config, roots *x509.CertPool, auth string, haveKey bool) {
	if !haveKey && len(t.errs) == 0 {
		t.note(configdef.ErrorOn("ssl.keystore.location", "a TLS listener needs a key: set ssl.keystore.location, or ssl.keystore.key and ssl.keystore.certificate.chain"))
	}
	c.ClientCAs = roots
	switch auth {
	case "", "none":
		c.ClientAuth = tls.NoClientCert
	case "requested":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case "required":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		t.note(configdef.InvalidValue("ssl.client.auth", auth, "String must be one of: required, requested, none"))
	}
}
