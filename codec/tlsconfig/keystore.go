package tlsconfig

import (
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/troupeio/troupe/codec/configdef"
)

// The messages about properties that exclude each other are Kafka's.

// keyStore reads the private key with its certificates; nil when none is configured.
func (t *tlsProps) keyStore() (*tls.Certificate, error) {
	var (
		kind     = strings.ToUpper(t.get["ssl.keystore.type"].text)
		location = t.get["ssl.keystore.location"]
		password = t.get["ssl.keystore.password"]
		keyPass  = t.get["ssl.key.password"]
		key      = t.get["ssl.keystore.key"]
		chain    = t.get["ssl.keystore.certificate.chain"]
	)
	if err := storeType("ssl.keystore.type", kind, t.get["ssl.keystore.type"].text); err != nil {
		return nil, err
	}
	const pemPassword = "SSL key store password cannot be specified with PEM format, only key password may be specified."
	switch {
	case !key.null:
		switch {
		case kind != "PEM":
			return nil, configdef.ErrorOn("ssl.keystore.key", "ssl.keystore.key: SSL private key can be specified only for PEM, but key store type is %s.", kind)
		case chain.null:
			return nil, configdef.ErrorOn("ssl.keystore.certificate.chain", "ssl.keystore.certificate.chain: SSL private key is specified, but certificate chain is not specified.")
		case !location.null:
			return nil, configdef.ErrorOn("ssl.keystore.location", "ssl.keystore.location: Both SSL key store location and separate private key are specified.")
		case !password.null:
			return nil, configdef.ErrorOn("ssl.keystore.password", "ssl.keystore.password: %s", pemPassword)
		}
		return pemKey("ssl.keystore.key", "ssl.keystore.key", []byte(key.text), []byte(chain.text), keyPass)
	case !chain.null:
		return nil, configdef.ErrorOn("ssl.keystore.key", "ssl.keystore.key: SSL certificate chain is specified, but private key is not specified")
	case location.null && !password.null:
		return nil, configdef.ErrorOn("ssl.keystore.location", "ssl.keystore.location: SSL key store is not specified, but key store password is specified.")
	case location.null:
		return nil, nil
	case kind == "PEM" && !password.null:
		return nil, configdef.ErrorOn("ssl.keystore.password", "ssl.keystore.password: %s", pemPassword)
	case kind != "PEM" && password.null:
		return nil, configdef.ErrorOn("ssl.keystore.password", "ssl.keystore.password: SSL key store is specified, but key store password is not specified.")
	}
	const name = "ssl.keystore.location"
	data, err := os.ReadFile(location.text)
	if err != nil {
		return nil, configdef.ErrorOn(name, "reading ssl.keystore.location: %v", err)
	}
	if kind == "PEM" {
		return pemKey(name, name+" "+location.text, data, data, keyPass)
	}
	if isJKS(data) {
		return jksKey(data, password, keyPass, location.text)
	}
	// PKCS12 has one password for everything.
	private, leaf, more, err := pkcs12.DecodeChain(data, password.text)
	if err != nil {
		return nil, unreadable("keystore", location.text, err)
	}
	cert := &tls.Certificate{PrivateKey: private, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, c := range more {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

// trustStore reads the certificates to trust; nil, which is the system's, when none
// are configured.
func (t *tlsProps) trustStore() (*x509.CertPool, error) {
	var (
		kind     = strings.ToUpper(t.get["ssl.truststore.type"].text)
		location = t.get["ssl.truststore.location"]
		password = t.get["ssl.truststore.password"]
		inline   = t.get["ssl.truststore.certificates"]
	)
	if err := storeType("ssl.truststore.type", kind, t.get["ssl.truststore.type"].text); err != nil {
		return nil, err
	}
	const pemPassword = "SSL trust store password cannot be specified for PEM format."
	switch {
	case !inline.null:
		switch {
		case kind != "PEM":
			return nil, configdef.ErrorOn("ssl.truststore.certificates", "ssl.truststore.certificates: SSL trust store certs can be specified only for PEM, but trust store type is %s.", kind)
		case !location.null:
			return nil, configdef.ErrorOn("ssl.truststore.location", "ssl.truststore.location: Both SSL trust store location and separate trust certificates are specified.")
		case !password.null:
			return nil, configdef.ErrorOn("ssl.truststore.password", "ssl.truststore.password: %s", pemPassword)
		}
		return pool("ssl.truststore.certificates", "ssl.truststore.certificates", []byte(inline.text))
	case location.null && !password.null:
		return nil, configdef.ErrorOn("ssl.truststore.location", "ssl.truststore.location: SSL trust store is not specified, but trust store password is specified.")
	case location.null:
		return nil, nil
	case kind == "PEM" && !password.null:
		return nil, configdef.ErrorOn("ssl.truststore.password", "ssl.truststore.password: %s", pemPassword)
	}
	const name = "ssl.truststore.location"
	data, err := os.ReadFile(location.text)
	if err != nil {
		return nil, configdef.ErrorOn(name, "reading ssl.truststore.location: %v", err)
	}
	if kind == "PEM" {
		return pool(name, name+" "+location.text, data)
	}
	var certs []*x509.Certificate
	if isJKS(data) {
		certs, err = jksTrusted(data, password)
	} else {
		certs, err = p12Trusted(data, password.text)
	}
	if err == nil && len(certs) == 0 {
		// Java fails at the first connection: "the trustAnchors parameter must be
		// non-empty".
		err = errors.New("it holds no trusted certificate")
	}
	if err != nil {
		return nil, unreadable("truststore", location.text, err)
	}
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p, nil
}

func storeType(name, kind, text string) error {
	if !slices.Contains([]string{"JKS", "PKCS12", "PEM"}, kind) {
		return configdef.InvalidValue(name, text, "only JKS, PKCS12 and PEM are supported")
	}
	return nil
}

// isJKS tells a JKS file from PKCS12, as Java's key stores do since version 9,
// whatever the configured type says.
func isJKS(data []byte) bool {
	return len(data) >= 4 && binary.BigEndian.Uint32(data) == 0xFEEDFEED
}

// p12Trusted reads the trusted certificates of a PKCS12 file, or, as Java does, the
// certificate of the key that it holds.
func p12Trusted(data []byte, password string) ([]*x509.Certificate, error) {
	certs, err := pkcs12.DecodeTrustStore(data, password)
	if err == nil {
		return certs, nil
	}
	if _, leaf, _, chainErr := pkcs12.DecodeChain(data, password); chainErr == nil {
		return []*x509.Certificate{leaf}, nil
	}
	return nil, err
}

// openJKS loads a JKS file. Without a password Java reads it unverified; the library
// can't, so the digest at its end is replaced by the one that an empty password has.
func openJKS(data []byte, password value) (keystore.KeyStore, error) {
	ks := keystore.New(keystore.WithOrderedAliases())
	if password.null {
		if len(data) < sha1.Size {
			return ks, errors.New("it is cut off")
		}
		body := data[:len(data)-sha1.Size]
		digest := sha1.Sum(append([]byte("Mighty Aphrodite"), body...))
		data = append(slices.Clone(body), digest[:]...)
	}
	err := ks.Load(bytes.NewReader(data), []byte(password.text))
	if err != nil && strings.Contains(err.Error(), "invalid digest") {
		err = errPassword
	}
	return ks, err
}

var errPassword = errors.New("the password is wrong or the file is damaged")

// unreadable is the error about a store that cannot be read; about its password where
// that is the reason.
func unreadable(store, file string, err error) *configdef.Error {
	location, password := "ssl."+store+".location", "ssl."+store+".password"
	if errors.Is(err, errPassword) || errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return configdef.ErrorOn(password, "reading %s %s with %s: %v", location, file, password, errPassword)
	}
	return configdef.ErrorOn(location, "reading %s %s: %v", location, file, err)
}

func jksKey(data []byte, password, keyPass value, location string) (*tls.Certificate, error) {
	const name = "ssl.keystore.location"
	ks, err := openJKS(data, password)
	if err != nil {
		return nil, unreadable("keystore", location, err)
	}
	if keyPass.null {
		keyPass = password
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(keyPass.text))
		if err != nil {
			return nil, configdef.ErrorOn("ssl.key.password", "reading the key %q in ssl.keystore.location %s with ssl.key.password: %v", alias, location, err)
		}
		private, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, configdef.ErrorOn(name, "reading the key %q in ssl.keystore.location %s: %v", alias, location, err)
		}
		cert := &tls.Certificate{PrivateKey: private}
		for _, c := range entry.CertificateChain {
			cert.Certificate = append(cert.Certificate, c.Content)
		}
		if len(cert.Certificate) == 0 {
			return nil, configdef.ErrorOn(name, "reading the key %q in ssl.keystore.location %s: it has no certificate", alias, location)
		}
		return cert, nil
	}
	return nil, configdef.ErrorOn(name, "reading ssl.keystore.location %s: it holds no private key", location)
}

func jksTrusted(data []byte, password value) ([]*x509.Certificate, error) {
	ks, err := openJKS(data, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, alias := range ks.Aliases() {
		var raw keystore.Certificate
		if ks.IsTrustedCertificateEntry(alias) {
			entry, err := ks.GetTrustedCertificateEntry(alias)
			if err != nil {
				return nil, err
			}
			raw = entry.Certificate
		} else {
			// Java also trusts the certificate of each key in the store.
			chain, err := ks.GetPrivateKeyEntryCertificateChain(alias)
			if err != nil || len(chain) == 0 {
				continue
			}
			raw = chain[0]
		}
		c, err := x509.ParseCertificate(raw.Content)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// pemKey reads a private key and its certificates from PEM text. One text may hold
// both. Errors are about a setting; where is its name, with that of the file.
func pemKey(name, where string, keyText, chainText []byte, password value) (*tls.Certificate, error) {
	cert := &tls.Certificate{}
	for _, block := range blocks(keyText) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		private, err := privateKey(block, password)
		if err != nil {
			return nil, configdef.ErrorOn(name, "reading the private key in %s: %v", where, err)
		}
		cert.PrivateKey = private
		break
	}
	if cert.PrivateKey == nil {
		return nil, configdef.ErrorOn(name, "reading %s: it holds no private key in PEM form", where)
	}
	for _, block := range blocks(chainText) {
		if block.Type == "CERTIFICATE" {
			cert.Certificate = append(cert.Certificate, block.Bytes)
		}
	}
	if len(cert.Certificate) == 0 {
		return nil, configdef.ErrorOn(name, "reading %s: there is no certificate in PEM form for the private key", where)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, configdef.ErrorOn(name, "reading the certificate for %s: %v", where, err)
	}
	if !matches(cert.PrivateKey, leaf) {
		return nil, configdef.ErrorOn(name, "reading %s: the private key is not the first certificate's", where)
	}
	cert.Leaf = leaf
	return cert, nil
}

func pool(name, where string, text []byte) (*x509.CertPool, error) {
	p := x509.NewCertPool()
	n := 0
	for _, block := range blocks(text) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, configdef.ErrorOn(name, "reading certificate %d in %s: %v", n+1, where, err)
		}
		p.AddCert(c)
		n++
	}
	if n == 0 {
		return nil, configdef.ErrorOn(name, "reading %s: it holds no certificate in PEM form", where)
	}
	return p, nil
}

// blocks returns the PEM blocks of text. A properties file often has the text in one
// line, with blanks where line ends were; Java accepts that, so the lines are put back.
func blocks(text []byte) []*pem.Block {
	var out []*pem.Block
	rest := string(text)
	for {
		_, after, ok := strings.Cut(rest, "-----BEGIN ")
		if !ok {
			return out
		}
		label, after, ok := strings.Cut(after, "-----")
		if !ok {
			return out
		}
		body, after, ok := strings.Cut(after, "-----END "+label+"-----")
		if !ok {
			return out
		}
		rest = after
		lines := "-----BEGIN " + label + "-----\n"
		if strings.Contains(body, ":") {
			// RFC 1421 headers need their own line ends.
			lines += strings.TrimLeft(body, "\r\n")
		} else {
			lines += strings.Join(strings.Fields(body), "\n")
		}
		block, _ := pem.Decode([]byte(strings.TrimRight(lines, "\n") + "\n-----END " + label + "-----\n"))
		if block != nil {
			out = append(out, block)
		}
	}
}
