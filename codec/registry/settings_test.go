package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupeio/troupe/codec/configdef"
)

// TestFaults: what does not belong together, and files that cannot be read, are found by
// validation, each on its setting, and by whoever starts.
func TestFaults(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.jks")
	if err := os.WriteFile(damaged, append([]byte{0xfe, 0xed, 0xfe, 0xed}, make([]byte, 40)...), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const trust, key = "schema.registry.ssl.truststore.", "schema.registry.ssl.keystore."
	for _, tt := range []struct {
		name, settings string
		setting        string // "" for none
		want           string
	}{
		{"nothing", "", "", ""},
		{"no user", "basic.auth.credentials.source=USER_INFO", "basic.auth.user.info", "basic.auth.user.info must be user:password, because basic.auth.credentials.source is USER_INFO"},
		{"no password", "basic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=me", "basic.auth.user.info", "must be user:password"},
		{"user", "basic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=me:x", "", ""},
		{"user by the old name", "basic.auth.credentials.source=USER_INFO\nschema.registry.basic.auth.user.info=me:x", "", ""},
		{"user and token", "basic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=me:x\nbearer.auth.token=y", "bearer.auth.token", "a request can only carry one of them"},
		{"user in the address and token", "schema.registry.url=http://me:x@localhost\nbearer.auth.token=y", "bearer.auth.token", "a request can only carry one of them"},
		{"proxy without port", "proxy.host=p", "proxy.port", "Invalid value -1 for configuration proxy.port: with proxy.host it must be a port, 1 to 65535"},
		{"proxy with a port that is none", "proxy.host=p\nproxy.port=65536", "proxy.port", "Invalid value 65536"},
		{"proxy with a port that is no number", "proxy.host=p\nproxy.port=x", "proxy.port", "Not a number of type INT"},
		{"proxy that is no host", "proxy.host=a b\nproxy.port=1", "proxy.host", "it is not the name of a host"},
		{"port without proxy", "proxy.port=3128", "proxy.host", "proxy.port is given and proxy.host is not"},
		{"proxy", "proxy.host=p\nproxy.port=3128", "", ""},
		{"no trust store", trust + "location=/no/such", trust + "location", "open /no/such"},
		{"trust store that cannot be read", trust + "location=" + t.TempDir(), trust + "location", "is a directory"},
		{"trust store with another password", trust + "location=" + damaged + "\n" + trust + "password=topsecret", trust + "password",
			trust + "password: reading ssl.truststore.location " + damaged + " with ssl.truststore.password: the password is wrong or the file is damaged"},
		{"trust store of another type", trust + "type=PKCS12\n" + trust + "location=" + none + "\n" + trust + "password=topsecret", trust + "location", none},
		{"no certificates", trust + "type=PEM\n" + trust + "location=" + none, trust + "location", none + ": it holds no certificate in PEM form"},
		{"no key store", key + "location=/no/such\n" + key + "password=topsecret", key + "location", "open /no/such"},
		{"no password of a key store", key + "location=/no/such", key + "password", "key store password is not specified"},
		{"key store without key", key + "type=PEM\n" + key + "location=" + none, key + "location", none + ": it holds no private key in PEM form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			props := map[string]string{URLSetting: "http://localhost:8081"}
			for line := range strings.Lines(tt.settings) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				props[k] = v
			}
			for _, v := range Def().Validate(configdef.Nullable(props)) {
				errs := strings.Join(v.Errors, "; ")
				if (v.Name == tt.setting) != (errs != "") || v.Name == tt.setting && !strings.Contains(errs, tt.want) || strings.Contains(errs, "topsecret") {
					t.Errorf("%s: %q, want %q of %s", v.Name, errs, tt.want, tt.setting)
				}
			}
			if _, err := Def().Parse(props); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the start: %v, want %q", err, tt.want)
			}
		})
	}
}
