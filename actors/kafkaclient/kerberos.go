package kafkaclient

import (
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/kerberos"

	"github.com/troupeio/troupe/codec/configdef"
)

// kerberos builds GSSAPI from a key tab. A ticket cache, a password prompt and a
// subject of the Java process are refused: they need someone at a terminal.
func (b *build) kerberos(m loginModule) (sasl.Mechanism, error) {
	bad := func(format string, args ...any) error {
		return configdef.ErrorOn(jaasName, "Invalid value "+hidden+" for configuration sasl.jaas.config: "+format, args...)
	}
	if !strings.EqualFold(m.options["useKeyTab"], "true") {
		return nil, bad("only logins by key tab are supported; set useKeyTab=true, keyTab and principal")
	}
	path, err := m.option("keyTab")
	if err != nil {
		return nil, err
	}
	principal, err := m.option("principal")
	if err != nil {
		return nil, err
	}
	// Kafka lets the two places of the service's name agree, not differ.
	service, inModule := b.values["sasl.kerberos.service.name"].text, m.options["serviceName"]
	switch {
	case service == "":
		service = inModule
	case inModule != "" && inModule != service:
		return nil, configdef.ErrorOn("sasl.kerberos.service.name", "Conflicting serviceName values found in JAAS and Kafka configs: serviceName in sasl.jaas.config and sasl.kerberos.service.name differ")
	}
	if service == "" {
		return nil, configdef.ErrorOn("sasl.kerberos.service.name", "No serviceName defined in either JAAS or Kafka config: set sasl.kerberos.service.name")
	}
	conf := b.env.Getenv("KRB5_CONFIG")
	if conf == "" {
		conf = "/etc/krb5.conf"
	}
	settings, err := config.Load(conf)
	if err != nil {
		return nil, configdef.ErrorOn(jaasName, "reading the Kerberos configuration %s: %v", conf, err)
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "file://"), "file:")
	tab, err := keytab.Load(path)
	if err != nil {
		return nil, bad("reading keyTab %s: %v", path, err)
	}
	user, realm, ok := strings.Cut(principal, "@")
	if !ok {
		realm = settings.LibDefaults.DefaultRealm
	}
	if realm == "" || user == "" {
		return nil, bad("principal has no realm, and %s no default_realm", conf)
	}
	// Active Directory refuses the FAST negotiation that the library starts with.
	c := client.NewWithKeytab(user, realm, tab, settings, client.DisablePAFXFAST(true))
	return kerberos.Auth{Client: c, Service: service}.AsMechanismWithClose(), nil
}
