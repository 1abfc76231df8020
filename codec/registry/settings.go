package registry

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/troupeio/troupe/codec/configdef"
)

// Settings that every converter with a registry has, under Confluent's names.
const (
	URLSetting             = "schema.registry.url"
	AutoRegisterSetting    = "auto.register.schemas"
	UseSchemaIDSetting     = "use.schema.id"
	IDStrictSetting        = "id.compatibility.strict"
	UseLatestSetting       = "use.latest.version"
	LatestStrictSetting    = "latest.compatibility.strict"
	NormalizeSetting       = "normalize.schemas"
	KeyStrategySetting     = "key.subject.name.strategy"
	ValueStrategySetting   = "value.subject.name.strategy"
	MaxSchemasSetting      = "max.schemas.per.subject"
	LatestCacheSizeSetting = "latest.cache.size"
	LatestCacheTTLSetting  = "latest.cache.ttl.sec"
	BasicSourceSetting     = "basic.auth.credentials.source"
	UserInfoSetting        = "basic.auth.user.info"
	OldUserInfoSetting     = "schema.registry.basic.auth.user.info"
	BearerSourceSetting    = "bearer.auth.credentials.source"
	BearerTokenSetting     = "bearer.auth.token"
	ProxyHostSetting       = "proxy.host"
	ProxyPortSetting       = "proxy.port"
	ConnectTimeoutSetting  = "http.connect.timeout.ms"
	ReadTimeoutSetting     = "http.read.timeout.ms"
	MaxRetriesSetting      = "max.retries"
	RetryWaitSetting       = "retries.wait.ms"
	RetryMaxWaitSetting    = "retries.max.wait.ms"

	// sslPrefix stands before Kafka's names of what concerns TLS.
	sslPrefix = "schema.registry."
)

// Def returns the settings that the converters share. A converter merges its own
// into it; [NewResolver] wants what the result parsed.
func Def() *configdef.Def {
	d := configdef.New(
		configdef.Key{Name: URLSetting, Type: configdef.List, Default: configdef.Required, Validator: addresses, Importance: configdef.High,
			Doc: "Addresses of the schema registry, separated by commas: when one does not answer, the next is asked. An address begins with `http://` or `https://` and may hold `user:password@`."},
		configdef.Key{Name: AutoRegisterSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Medium,
			Doc: "Register a record's schema when it is met. Without it the schema must be in the registry."},
		configdef.Key{Name: UseSchemaIDSetting, Type: configdef.Int, Default: -1, Importance: configdef.Low,
			Doc: "Write every record with the schema of this id; only where auto.register.schemas is false. -1: not."},
		configdef.Key{Name: IDStrictSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
			Doc: "With use.schema.id: refuse records whose schema the schema of that id cannot read."},
		configdef.Key{Name: UseLatestSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Low,
			Doc: "Write records with the newest schema of the subject; only where auto.register.schemas is false."},
		configdef.Key{Name: LatestStrictSetting, Type: configdef.Boolean, Default: true, Importance: configdef.Low,
			Doc: "With use.latest.version: refuse records whose schema the newest one cannot read."},
		configdef.Key{Name: NormalizeSetting, Type: configdef.Boolean, Default: false, Importance: configdef.Medium,
			Doc: "Ask the registry to compare and keep schemas in their normal form, so that the order of properties and the like does not make a new version."},
		configdef.Key{Name: KeyStrategySetting, Type: configdef.ClassType, Default: TopicNameStrategy, Validator: strategyClass, Importance: configdef.Medium,
			Doc: "How the subject of a key's schema is named: TopicNameStrategy (topic-key), RecordNameStrategy (the record's full name) or TopicRecordNameStrategy (topic-name)."},
		configdef.Key{Name: ValueStrategySetting, Type: configdef.ClassType, Default: TopicNameStrategy, Validator: strategyClass, Importance: configdef.Medium,
			Doc: "How the subject of a value's schema is named: TopicNameStrategy (topic-value), RecordNameStrategy (the record's full name) or TopicRecordNameStrategy (topic-name)."},
		configdef.Key{Name: MaxSchemasSetting, Type: configdef.Int, Default: 1000, Validator: configdef.AtLeast(1), Importance: configdef.Low,
			Doc: "How many schemas are remembered, for each way of asking. Beyond it the oldest are forgotten and asked for again."},
		configdef.Key{Name: LatestCacheSizeSetting, Type: configdef.Int, Default: 1000, Validator: configdef.AtLeast(1), Importance: configdef.Low,
			Doc: "How many newest schemas are remembered."},
		configdef.Key{Name: LatestCacheTTLSetting, Type: configdef.Int, Default: -1, Importance: configdef.Low,
			Doc: "For how many seconds the newest schema of a subject is remembered; -1: as long as the task runs."},
		configdef.Key{Name: BasicSourceSetting, Type: configdef.String, Default: "URL", Validator: configdef.OneOf("URL", "USER_INFO"), Importance: configdef.Medium,
			Doc: "Where user and password for the registry stand: in schema.registry.url (URL) or in basic.auth.user.info (USER_INFO). SASL_INHERIT is not supported."},
		configdef.Key{Name: UserInfoSetting, Type: configdef.PasswordType, Default: "", Importance: configdef.Medium,
			Doc: "User and password for the registry, with a colon between them; with basic.auth.credentials.source=USER_INFO."},
		configdef.Key{Name: OldUserInfoSetting, Type: configdef.PasswordType, Default: "", Importance: configdef.Medium,
			Doc: "The same as basic.auth.user.info, which goes first."},
		configdef.Key{Name: BearerSourceSetting, Type: configdef.String, Default: "STATIC_TOKEN", Validator: configdef.OneOf("STATIC_TOKEN"), Importance: configdef.Medium,
			Doc: "Where the bearer token for the registry comes from; only STATIC_TOKEN is supported."},
		configdef.Key{Name: BearerTokenSetting, Type: configdef.PasswordType, Default: "", Importance: configdef.Medium,
			Doc: "The bearer token for the registry. It excludes a user and password."},
		configdef.Key{Name: ProxyHostSetting, Type: configdef.String, Default: "", Importance: configdef.Low,
			Doc: "Host of an HTTP proxy between us and the registry. Without one, HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment hold."},
		configdef.Key{Name: ProxyPortSetting, Type: configdef.Int, Default: -1, Importance: configdef.Low,
			Doc: "Port of the HTTP proxy."},
		configdef.Key{Name: ConnectTimeoutSetting, Type: configdef.Int, Default: 60000, Validator: configdef.AtLeast(1), Importance: configdef.Low,
			Doc: "Time to connect to a registry, in milliseconds."},
		configdef.Key{Name: ReadTimeoutSetting, Type: configdef.Int, Default: 60000, Validator: configdef.AtLeast(1), Importance: configdef.Low,
			Doc: "Time for a registry's whole answer once it is connected, in milliseconds."},
		configdef.Key{Name: MaxRetriesSetting, Type: configdef.Int, Default: 3, Validator: configdef.AtLeast(0), Importance: configdef.Low,
			Doc: "How often all addresses are asked again when none could answer, before errors.retry.timeout decides."},
		configdef.Key{Name: RetryWaitSetting, Type: configdef.Int, Default: 1000, Validator: configdef.AtLeast(0), Importance: configdef.Low,
			Doc: "Longest wait before the first of these retries, in milliseconds; it doubles with each. Waits are drawn at random below it."},
		configdef.Key{Name: RetryMaxWaitSetting, Type: configdef.Int, Default: 20000, Validator: configdef.AtLeast(0), Importance: configdef.Low,
			Doc: "No wait between retries is longer, in milliseconds."},
	)
	for _, k := range sslKeys {
		k.Name = sslPrefix + k.Name
		d.Define(k)
	}
	return d.AddRule(faults).AddRule(tlsFaults)
}

// faults is the rule about what belongs together.
func faults(v *configdef.Values) (out []*configdef.Error) {
	add := func(name, format string, args ...any) { out = append(out, configdef.ErrorOn(name, format, args...)) }
	user := ""
	for _, text := range v.List(URLSetting) {
		if u, err := addressOf(text); err == nil && u.User != nil {
			user = u.User.Username()
		}
	}
	if v.String(BasicSourceSetting) == "USER_INFO" {
		var ok bool
		if user, _, ok = strings.Cut(userInfo(v), ":"); !ok {
			add(UserInfoSetting, "%s must be user:password, because %s is USER_INFO", UserInfoSetting, BasicSourceSetting)
		}
	}
	if user != "" && v.Password(BearerTokenSetting).Reveal() != "" {
		add(BearerTokenSetting, "%s and a user and password for the schema registry are both given; a request can only carry one of them", BearerTokenSetting)
	}
	host, port := v.String(ProxyHostSetting), v.Int(ProxyPortSetting)
	switch {
	case host != "" && (port <= 0 || port > 65535):
		out = append(out, configdef.InvalidValue(ProxyPortSetting, v.Raw(ProxyPortSetting), "with "+ProxyHostSetting+" it must be a port, 1 to 65535"))
	case host != "" && proxyURL(host, port) == nil:
		out = append(out, configdef.InvalidValue(ProxyHostSetting, host, "it is not the name of a host"))
	case host == "" && port != -1 && v.Given(ProxyPortSetting):
		add(ProxyHostSetting, "%s is given and %s is not: a proxy needs both", ProxyPortSetting, ProxyHostSetting)
	}
	return out
}

func userInfo(v *configdef.Values) string {
	if info := v.Password(UserInfoSetting).Reveal(); info != "" {
		return info
	}
	return v.Password(OldUserInfoSetting).Reveal()
}

// proxyURL is the address of a proxy, nil where the host is none.
func proxyURL(host string, port int) *url.URL {
	u, err := url.Parse("http://" + net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil
	}
	return u
}

// sslKeys are Kafka's settings of TLS.
var sslKeys = []configdef.Key{
	{Name: "ssl.protocol", Type: configdef.String, Default: "TLSv1.3", Importance: configdef.Medium, Doc: "Highest version of TLS, when ssl.enabled.protocols is not set."},
	{Name: "ssl.enabled.protocols", Type: configdef.List, Default: "TLSv1.2,TLSv1.3", Importance: configdef.Medium, Doc: "Lowest and highest version of TLS."},
	{Name: "ssl.cipher.suites", Type: configdef.List, Default: nil, Importance: configdef.Low, Doc: "Cipher suites by their IANA names."},
	{Name: "ssl.truststore.type", Type: configdef.String, Default: "JKS", Importance: configdef.Medium, Doc: "JKS, PKCS12 or PEM."},
	{Name: "ssl.truststore.location", Type: configdef.String, Default: nil, Importance: configdef.High, Doc: "File with the certificates to trust; without one the system's are trusted."},
	{Name: "ssl.truststore.password", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Password of that file; not with PEM."},
	{Name: "ssl.truststore.certificates", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Certificates to trust as PEM text."},
	{Name: "ssl.keystore.type", Type: configdef.String, Default: "JKS", Importance: configdef.Medium, Doc: "JKS, PKCS12 or PEM."},
	{Name: "ssl.keystore.location", Type: configdef.String, Default: nil, Importance: configdef.High, Doc: "File with our key and certificates, for a registry that asks for them."},
	{Name: "ssl.keystore.password", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Password of that file; not with PEM."},
	{Name: "ssl.key.password", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Password of the key in that file or text."},
	{Name: "ssl.keystore.key", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Our key as PEM text."},
	{Name: "ssl.keystore.certificate.chain", Type: configdef.PasswordType, Default: nil, Importance: configdef.High, Doc: "Our certificates as PEM text."},
	{Name: "ssl.endpoint.identification.algorithm", Type: configdef.String, Default: "https", Importance: configdef.Low, Doc: "`https` checks the registry's host name; empty checks its certificates only."},
}

// endpoint is one address of the registry.
type endpoint struct {
	url            string // without user information
	user, password string
}

// transport is how the registry is reached.
type transport struct {
	endpoints      []endpoint
	bearer         string
	proxy          *url.URL          // nil: the environment's
	ssl            map[string]string // Kafka's ssl.*, those that were given
	connectTimeout time.Duration
	readTimeout    time.Duration
	retries        int
	retryWait      time.Duration // before the first retry
	retryMaxWait   time.Duration
	cacheSize      int // schemas by id, ids by schema
	latestSize     int
	latestTTL      time.Duration // negative: none
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// transportOf reads the settings that concern the connection, which fit together.
func transportOf(v *configdef.Values) (*transport, error) {
	t := &transport{
		bearer:         v.Password(BearerTokenSetting).Reveal(),
		connectTimeout: milliseconds(v.Int(ConnectTimeoutSetting)),
		readTimeout:    milliseconds(v.Int(ReadTimeoutSetting)),
		retries:        v.Int(MaxRetriesSetting),
		retryWait:      milliseconds(v.Int(RetryWaitSetting)),
		retryMaxWait:   milliseconds(v.Int(RetryMaxWaitSetting)),
		cacheSize:      v.Int(MaxSchemasSetting),
		latestSize:     v.Int(LatestCacheSizeSetting),
		latestTTL:      time.Duration(v.Int(LatestCacheTTLSetting)) * time.Second,
		ssl:            sslOf(v),
	}
	for _, text := range v.List(URLSetting) {
		e, err := endpointOf(text, v)
		if err != nil {
			return nil, err
		}
		t.endpoints = append(t.endpoints, e)
	}
	if host := v.String(ProxyHostSetting); host != "" {
		t.proxy = proxyURL(host, v.Int(ProxyPortSetting))
	}
	return t, nil
}

// addresses is the validator of [URLSetting].
var addresses = configdef.Composite(configdef.NonEmptyList(), configdef.Lambda(func(_ string, value any) error {
	texts, _ := value.([]string)
	for _, text := range texts {
		if _, err := addressOf(text); err != nil {
			return err
		}
	}
	return nil
}, ""))

func addressOf(text string) (*url.URL, error) {
	// The text may hold a password: it stands in no message.
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, configdef.InvalidValue(URLSetting, configdef.Hidden, "each address must look like http://host:port or https://host:port")
	}
	return u, nil
}

func endpointOf(text string, v *configdef.Values) (endpoint, error) {
	u, err := addressOf(text)
	if err != nil {
		return endpoint{}, err
	}
	var e endpoint
	if v.String(BasicSourceSetting) == "USER_INFO" {
		e.user, e.password, _ = strings.Cut(userInfo(v), ":")
	} else if u.User != nil {
		e.user = u.User.Username()
		e.password, _ = u.User.Password()
	}
	u.User = nil
	e.url = strings.TrimSuffix(u.String(), "/")
	return e, nil
}
