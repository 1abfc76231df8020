package restapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/troupeio/troupe/actors/kafkaclient"
)

// issued is a certificate with its key, as PEM.
type issued struct{ cert, key string }

func (i issued) pair(t *testing.T) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair([]byte(i.cert), []byte(i.key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// authority makes a certificate authority and one certificate of it.
func authority(t *testing.T) (ca string, leaf issued) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, root, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", rootDER), issued{block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)}
}

func TestHTTPS(t *testing.T) {
	ca, leaf := authority(t)
	_, stranger := authority(t)
	props := func(auth string) map[string]string {
		return map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": leaf.cert, "ssl.keystore.key": leaf.key,
			"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca, "ssl.client.auth": auth}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	for _, tc := range []struct {
		auth string
		cert *issued
		ok   bool
	}{
		{"none", nil, true},
		{"requested", nil, true},
		{"requested", &leaf, true},
		{"required", nil, false},
		{"required", &leaf, true},
		{"required", &stranger, false},
	} {
		name := tc.auth
		if tc.cert != nil {
			name += map[bool]string{true: " with a certificate", false: " with a stranger's certificate"}[tc.cert == &leaf]
		}
		t.Run(name, func(t *testing.T) {
			conf, err := kafkaclient.TLSConfig(props(tc.auth), true)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, Options{Listeners: []Listener{{Scheme: "https", Host: "127.0.0.1"}}, TLS: conf})
			client := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			if tc.cert != nil {
				client.Certificates = []tls.Certificate{tc.cert.pair(t)}
			}
			tr := &http.Transport{TLSClientConfig: client}
			defer tr.CloseIdleConnections()
			resp, err := (&http.Client{Transport: tr}).Post("https://"+s.Addrs[0].String()+"/connectors", "application/json", strings.NewReader(`{"name":"a","config":{}}`))
			if (err == nil) != tc.ok {
				t.Fatalf("%v", err)
			}
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Location"); resp.StatusCode != 201 || !strings.HasPrefix(got, "https://127.0.0.1:") {
				t.Errorf("%d, Location %s", resp.StatusCode, got)
			}
		})
	}
	if _, err := Start(t.Context(), Options{Log: slog.New(slog.DiscardHandler), Listeners: []Listener{{Scheme: "https", Host: "127.0.0.1"}}}); err == nil || !strings.Contains(err.Error(), "ssl.keystore") {
		t.Errorf("without a key store: %v", err)
	}
}
