package kafkaclient

import (
	"crypto/tls"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/troupeio/troupe/codec/configdef"
)

// The Java classes that stand in properties and that we answer to.
const (
	plainModule    = "org.apache.kafka.common.security.plain.PlainLoginModule"
	scramModule    = "org.apache.kafka.common.security.scram.ScramLoginModule"
	oauthPackage   = "org.apache.kafka.common.security.oauthbearer."
	oauthModule    = oauthPackage + "OAuthBearerLoginModule"
	iamModule      = "software.amazon.msk.auth.iam.IAMLoginModule"
	kerberosModule = "com.sun.security.auth.module.Krb5LoginModule"

	iamHandler            = "software.amazon.msk.auth.iam.IAMClientCallbackHandler"
	oauthHandler          = oauthPackage + "OAuthBearerLoginCallbackHandler"
	oauthHandlerOld       = oauthPackage + "secured.OAuthBearerLoginCallbackHandler"
	oauthUnsecuredHandler = oauthPackage + "internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"
)

const jaasName = "sasl.jaas.config"

func osGetenv(name string) string { return os.Getenv(name) }

// security reads the protocol and builds the login.
func (b *build) security(v value) {
	protocol := strings.ToUpper(v.text)
	b.secure = strings.HasSuffix(protocol, "SSL")
	if !strings.HasPrefix(protocol, "SASL_") {
		return
	}
	mechanism := b.values["sasl.mechanism"].text
	login, ok := map[string]func(*build, loginModule) (sasl.Mechanism, error){
		"PLAIN":         (*build).plain,
		"SCRAM-SHA-256": (*build).scram,
		"SCRAM-SHA-512": (*build).scram,
		"OAUTHBEARER":   (*build).oauth,
		"AWS_MSK_IAM":   (*build).iam,
		"GSSAPI":        (*build).kerberos,
	}[mechanism]
	if !ok {
		b.fail(configdef.InvalidValue("sasl.mechanism", mechanism, "only PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM and GSSAPI are supported"))
		return
	}
	module, err := b.module(mechanism)
	if err == nil {
		b.mechanism, err = login(b, module)
	}
	if err != nil {
		b.errs = append(b.errs, err)
	}
}

// module reads sasl.jaas.config and checks that it names the module of the mechanism.
func (b *build) module(mechanism string) (loginModule, error) {
	want := map[string]string{
		"PLAIN": plainModule, "SCRAM-SHA-256": scramModule, "SCRAM-SHA-512": scramModule,
		"OAUTHBEARER": oauthModule, "AWS_MSK_IAM": iamModule, "GSSAPI": kerberosModule,
	}[mechanism]
	text := b.values[jaasName]
	if text.null || text.text == "" {
		// The rest can come from other properties or from the environment.
		if mechanism == "OAUTHBEARER" || mechanism == "AWS_MSK_IAM" {
			return loginModule{class: want, options: map[string]string{}}, nil
		}
		return loginModule{}, configdef.ErrorOn(jaasName, "sasl.jaas.config is not set, and sasl.mechanism %s needs it: %s required …;", mechanism, want)
	}
	m, err := parseJAAS(text.text)
	if err != nil {
		return m, configdef.ErrorOn(jaasName, "Invalid value %s for configuration sasl.jaas.config: %v", hidden, err)
	}
	if m.class != want {
		return m, configdef.ErrorOn(jaasName, "Invalid value %s for configuration sasl.jaas.config: sasl.mechanism %s needs the login module %s", hidden, mechanism, want)
	}
	return m, nil
}

// option returns an option that must be there.
func (m loginModule) option(name string) (string, error) {
	v, ok := m.options[name]
	if !ok {
		return "", configdef.ErrorOn(jaasName, "Invalid value %s for configuration sasl.jaas.config: the option %s is missing", hidden, name)
	}
	return v, nil
}

// userPassword returns the two options that most mechanisms have.
func (m loginModule) userPassword() (user, password string, err error) {
	if user, err = m.option("username"); err != nil {
		return "", "", err
	}
	password, err = m.option("password")
	return user, password, err
}

func (b *build) plain(m loginModule) (sasl.Mechanism, error) {
	user, password, err := m.userPassword()
	if err != nil {
		return nil, err
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
}

func (b *build) scram(m loginModule) (sasl.Mechanism, error) {
	user, password, err := m.userPassword()
	if err != nil {
		return nil, err
	}
	auth := scram.Auth{User: user, Pass: password, IsToken: strings.EqualFold(m.options["tokenauth"], "true")}
	if b.values["sasl.mechanism"].text == "SCRAM-SHA-512" {
		return auth.AsSha512Mechanism(), nil
	}
	return auth.AsSha256Mechanism(), nil
}

// tls is the configuration of the connections to brokers, nil without TLS.
func (b *build) tls() *tls.Config {
	if !b.secure {
		return nil
	}
	// What the table's checks have found is not said twice.
	props := map[string]string{}
	for name, text := range b.props {
		if strings.HasPrefix(name, "ssl.") && b.values[name].set {
			props[name] = text
		}
	}
	c, err := TLSConfig(props, false)
	if err != nil {
		b.errs = append(b.errs, err)
	}
	return c
}
