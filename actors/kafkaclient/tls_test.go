package kafkaclient

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

const (
	storePassword = "store-pw"
	keyPassword   = "key-pw"
)

// pki is an authority with a server's and a client's certificate, in all the files in
// which users keep them.
type pki struct {
	t      *testing.T
	dir    string
	pool   *x509.CertPool
	server tls.Certificate
	client tls.Certificate
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) text(name string) string {
	data, err := os.ReadFile(p.file(name))
	p.check(err)
	return string(data)
}

func (p *pki) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pki) write(name string, data []byte) { p.check(os.WriteFile(p.file(name), data, 0o600)) }

func newPKI(t *testing.T) *pki {
	p := &pki{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	ca, caKey := p.authority("test authority")
	other, _ := p.authority("other authority")
	p.pool.AddCert(ca)
	p.server = p.issue(2, "server", ca, caKey)
	p.client = p.issue(3, "client", ca, caKey)

	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	p.write("ca.pem", caPEM)
	p.write("other.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw}))
	pkcs8, err := x509.MarshalPKCS8PrivateKey(p.client.PrivateKey)
	p.check(err)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	crtPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.client.Certificate[0]})
	p.write("client.key", keyPEM)
	p.write("client.crt", crtPEM)
	p.write("client.pem", append(append([]byte{}, keyPEM...), crtPEM...))
	p.write("client.enc.key", encrypted(t, pkcs8, keyPassword))
	serverKey, err := x509.MarshalPKCS8PrivateKey(p.server.PrivateKey)
	p.check(err)
	p.write("server.pem", append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: serverKey}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate[0]})...))

	trust := keystore.New()
	p.check(trust.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: keystore.Certificate{Type: "X509", Content: ca.Raw}}))
	p.jks("trust.jks", trust)
	keys := keystore.New()
	p.check(keys.SetPrivateKeyEntry("me", keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: pkcs8,
		CertificateChain: []keystore.Certificate{{Type: "X509", Content: p.client.Certificate[0]}}}, []byte(keyPassword)))
	p.jks("client.jks", keys)

	data, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{ca}, storePassword)
	p.check(err)
	p.write("trust.p12", data)
	leaf, err := x509.ParseCertificate(p.client.Certificate[0])
	p.check(err)
	data, err = pkcs12.Modern.Encode(p.client.PrivateKey, leaf, []*x509.Certificate{ca}, storePassword)
	p.check(err)
	p.write("client.p12", data)
	return p
}

func (p *pki) jks(name string, ks keystore.KeyStore) {
	f, err := os.Create(p.file(name))
	p.check(err)
	p.check(ks.Store(f, []byte(storePassword)))
	p.check(f.Close())
}

func (p *pki) authority(name string) (*x509.Certificate, crypto.Signer) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.check(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	p.check(err)
	cert, err := x509.ParseCertificate(der)
	p.check(err)
	return cert, key
}

func (p *pki) issue(serial int64, name string, ca *x509.Certificate, caKey crypto.Signer) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.check(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey)
	p.check(err)
	return tls.Certificate{PrivateKey: key, Certificate: [][]byte{der}}
}

// encrypted writes a key as openssl does today: PBES2, PBKDF2 with SHA-256, AES-256.
func encrypted(t *testing.T, pkcs8 []byte, password string) []byte {
	t.Helper()
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	salt, iv := []byte("saltsalt"), []byte("sixteen bytes iv")
	block, err := aes.NewCipher(must(pbkdf2.Key(sha256.New, password, salt, 2048, 32)))
	if err != nil {
		t.Fatal(err)
	}
	pad := 16 - len(pkcs8)%16
	data := append([]byte{}, pkcs8...)
	for range pad {
		data = append(data, byte(pad))
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	type kdf struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
	der := must(asn1.Marshal(struct {
		Algorithm struct {
			ID     asn1.ObjectIdentifier
			Params struct {
				KDF struct {
					ID     asn1.ObjectIdentifier
					Params kdf
				}
				Scheme struct {
					ID asn1.ObjectIdentifier
					IV []byte
				}
			}
		}
		Data []byte
	}{
		Algorithm: struct {
			ID     asn1.ObjectIdentifier
			Params struct {
				KDF struct {
					ID     asn1.ObjectIdentifier
					Params kdf
				}
				Scheme struct {
					ID asn1.ObjectIdentifier
					IV []byte
				}
			}
		}{ID: oidPBES2, Params: struct {
			KDF struct {
				ID     asn1.ObjectIdentifier
				Params kdf
			}
			Scheme struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}
		}{
			KDF: struct {
				ID     asn1.ObjectIdentifier
				Params kdf
			}{oidPBKDF2, kdf{salt, 2048, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}}}},
			Scheme: struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, iv},
		}},
		Data: data,
	}))
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}

// What PKCS #8 calls PBES2 and PBKDF2.
var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

func TestEncryptedKey(t *testing.T) {
	pki := newPKI(t)
	props := map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": pki.text("client.enc.key"), "ssl.keystore.certificate.chain": pki.text("client.crt")}
	for _, row := range []struct{ name, password, want string }{
		{"right", keyPassword, ""},
		{"wrong", "other-pw", "ssl.key.password is wrong"},
		{"none", "", "it is encrypted and ssl.key.password is not set"},
	} {
		t.Run(row.name, func(t *testing.T) {
			props["ssl.key.password"] = row.password
			c, err := TLSConfig(props, false)
			if row.want == "" {
				if err != nil || len(c.Certificates) != 1 {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) || row.password != "" && strings.Contains(err.Error(), row.password) {
				t.Errorf("have %v, want %q", err, row.want)
			}
		})
	}
}

func TestTLSErrors(t *testing.T) {
	pki := newPKI(t)
	for _, row := range []struct {
		name   string
		server bool
		props  map[string]string
		want   string
	}{
		{"no file", false, map[string]string{"ssl.truststore.location": "/no/such"}, "reading ssl.truststore.location: open /no/such"},
		{"store type", false, map[string]string{"ssl.truststore.type": "BCFKS"}, "Invalid value BCFKS for configuration ssl.truststore.type: only JKS, PKCS12 and PEM are supported"},
		{"wrong password", false, map[string]string{"ssl.truststore.location": pki.file("trust.jks"), "ssl.truststore.password": "topsecret"}, "the password is wrong or the file is damaged"},
		{"wrong PKCS12 password", false, map[string]string{"ssl.truststore.location": pki.file("trust.p12"), "ssl.truststore.password": "topsecret"}, "reading ssl.truststore.location"},
		{"key without password", false, map[string]string{"ssl.keystore.location": pki.file("client.jks")}, "SSL key store is specified, but key store password is not specified."},
		{"wrong key password", false, map[string]string{"ssl.keystore.location": pki.file("client.jks"), "ssl.keystore.password": storePassword, "ssl.key.password": "topsecret"}, "with ssl.key.password"},
		{"password without key", false, map[string]string{"ssl.keystore.password": "topsecret"}, "SSL key store is not specified, but key store password is specified."},
		{"text for JKS", false, map[string]string{"ssl.truststore.certificates": pki.text("ca.pem")}, "SSL trust store certs can be specified only for PEM, but trust store type is JKS."},
		{"key text for JKS", false, map[string]string{"ssl.keystore.key": "topsecret"}, "SSL private key can be specified only for PEM, but key store type is JKS."},
		{"key text without chain", false, map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": "topsecret"}, "SSL private key is specified, but certificate chain is not specified."},
		{"PEM with password", false, map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("ca.pem"), "ssl.truststore.password": "topsecret"}, "SSL trust store password cannot be specified for PEM format."},
		{"not PEM", false, map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.certificates": "topsecret"}, "it holds no certificate in PEM form"},
		{"another's key", false, map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.key": pki.text("server.pem"), "ssl.keystore.certificate.chain": pki.text("client.crt")}, "the private key is not the first certificate's"},
		{"store without key", false, map[string]string{"ssl.keystore.location": pki.file("trust.jks"), "ssl.keystore.password": storePassword}, "it holds no private key"},
		{"identification", false, map[string]string{"ssl.endpoint.identification.algorithm": "LDAPS"}, "Invalid value LDAPS for configuration ssl.endpoint.identification.algorithm"},
		{"version", false, map[string]string{"ssl.enabled.protocols": "TLSv1.2,SSLv3"}, "Invalid value SSLv3 for configuration ssl.enabled.protocols"},
		{"suite", false, map[string]string{"ssl.cipher.suites": "TLS_NO"}, "Invalid value TLS_NO for configuration ssl.cipher.suites: no such cipher suite"},
		{"suite of another version", false, map[string]string{"ssl.cipher.suites": "TLS_AES_128_GCM_SHA256", "ssl.enabled.protocols": "TLSv1.2"}, "ssl.cipher.suites has no cipher suite for the versions in ssl.enabled.protocols"},
		{"server without key", true, nil, "a TLS listener needs a key"},
		{"client auth", true, map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": pki.file("server.pem"), "ssl.client.auth": "want"}, "Invalid value want for configuration ssl.client.auth: String must be one of: required, requested, none"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := TLSConfig(row.props, row.server)
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("have %v, want %q", err, row.want)
			}
		})
	}
}

func TestTLSVersions(t *testing.T) {
	for _, row := range []struct {
		name      string
		props     map[string]string
		low, high uint16
	}{
		{"default", nil, tls.VersionTLS12, tls.VersionTLS13},
		{"one", map[string]string{"ssl.enabled.protocols": "TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12},
		{"old", map[string]string{"ssl.enabled.protocols": "TLSv1.1, TLSv1.2"}, tls.VersionTLS11, tls.VersionTLS12},
		{"protocol", map[string]string{"ssl.protocol": "TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12},
		{"new suites only", map[string]string{"ssl.cipher.suites": "TLS_AES_128_GCM_SHA256"}, tls.VersionTLS13, tls.VersionTLS13},
		{"old suites only", map[string]string{"ssl.cipher.suites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, tls.VersionTLS12, tls.VersionTLS12},
		{"both", map[string]string{"ssl.cipher.suites": "TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, tls.VersionTLS12, tls.VersionTLS13},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := TLSConfig(row.props, false)
			if err != nil || c.MinVersion != row.low || c.MaxVersion != row.high {
				t.Errorf("have %+v, %v", c, err)
			}
		})
	}
}

// TestServer shakes hands between a server's configuration and clients with and
// without a certificate, for each value of ssl.client.auth.
func TestServer(t *testing.T) {
	pki := newPKI(t)
	trust := map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("ca.pem")}
	merge := func(maps ...map[string]string) map[string]string {
		out := map[string]string{}
		for _, m := range maps {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	without := trust
	withKey := merge(trust, map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": pki.file("client.pem")})
	for _, row := range []struct {
		auth            string
		without, withIt bool // who is let in
	}{{"", true, true}, {"none", true, true}, {"requested", true, true}, {"required", false, true}} {
		for _, who := range []struct {
			name  string
			props map[string]string
			want  bool
		}{{"without", without, row.without}, {"with", withKey, row.withIt}} {
			t.Run(row.auth+" "+who.name, func(t *testing.T) {
				server, err := TLSConfig(merge(trust, map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": pki.file("server.pem"), "ssl.client.auth": row.auth}), true)
				pki.check(err)
				client, err := TLSConfig(who.props, false)
				pki.check(err)
				if err := handshake(server, client, "127.0.0.1"); (err == nil) != who.want {
					t.Errorf("have %v", err)
				}
			})
		}
	}
	server, err := TLSConfig(map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.location": pki.file("server.pem")}, true)
	pki.check(err)
	for name, row := range map[string]struct {
		props map[string]string
		want  bool
	}{
		"another name":              {trust, false},
		"another name, not checked": {merge(trust, map[string]string{"ssl.endpoint.identification.algorithm": ""}), true},
		"another authority":         {map[string]string{"ssl.truststore.type": "PEM", "ssl.truststore.location": pki.file("other.pem"), "ssl.endpoint.identification.algorithm": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := TLSConfig(row.props, false)
			pki.check(err)
			if err := handshake(server, client, "broker.example"); (err == nil) != row.want {
				t.Errorf("have %v", err)
			}
		})
	}
}

// handshake returns the first error that either side has, after one byte has crossed
// (with TLS 1.3 a client only learns then that its certificate was refused).
func handshake(server, client *tls.Config, name string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	deadline := time.Now().Add(10 * time.Second)
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(deadline)
		_, err = tls.Server(conn, server).Write([]byte{1})
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(deadline)
	client = client.Clone()
	client.ServerName = name
	_, err = tls.Client(conn, client).Read(make([]byte, 1))
	conn.Close()
	if other := <-done; err == nil {
		err = other
	}
	return err
}
