package kafkaclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"github.com/troupeio/troupe/codec/configdef"
)

const (
	// tokenTimeout bounds reaching the token endpoint and waiting for its answer,
	// each; Java has no bound by default, and a worker must not hang on a login.
	tokenTimeout = 10 * time.Second
	// maxTokenAnswer is more than any token endpoint says.
	maxTokenAnswer = 1 << 20
	// defaultTokenLife holds for tokens that don't say how long they live.
	defaultTokenLife = 5 * time.Minute
)

const endpointName = "sasl.oauthbearer.token.endpoint.url"

// oauth builds OAUTHBEARER. As in Java the endpoint decides where tokens come from; no
// endpoint means unsecured tokens, which brokers take only in development.
func (b *build) oauth(m loginModule) (sasl.Mechanism, error) {
	extensions := map[string]string{}
	for name, v := range m.options {
		for _, prefix := range []string{"extension_", "unsecuredLoginExtension_"} {
			if key, ok := strings.CutPrefix(name, prefix); ok {
				extensions[key] = v
			}
		}
	}
	var fetch func(context.Context) (string, error)
	endpoint := b.values[endpointName]
	u, err := url.Parse(endpoint.text)
	switch {
	case endpoint.null || endpoint.text == "":
		if _, ok := m.options["unsecuredLoginStringClaim_sub"]; !ok {
			return nil, configdef.ErrorOn(endpointName, "sasl.oauthbearer.token.endpoint.url is not set, and sasl.jaas.config has no unsecuredLoginStringClaim_sub either")
		}
		fetch = func(context.Context) (string, error) { return unsecuredToken(m.options, time.Now()) }
	case err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
		return nil, configdef.ErrorOn(endpointName, "Invalid value %s for configuration %s: it must be a URL with http, https or file", hidden, endpointName)
	case u.Scheme == "file":
		fetch = func(context.Context) (string, error) {
			token, err := os.ReadFile(u.Path)
			if err != nil {
				return "", fmt.Errorf("reading the token of %s: %w", endpointName, err)
			}
			return strings.TrimSpace(string(token)), nil
		}
	default:
		e, err := b.endpoint(endpoint.text, m)
		if err != nil {
			return nil, err
		}
		fetch = e.token
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		token, err := fetch(ctx)
		return oauth.Auth{Token: token, Extensions: extensions}, err
	}), nil
}

// tokenEndpoint gets tokens by client credentials (RFC 6749, 4.4) and keeps the last
// one until it is past its refresh window.
type tokenEndpoint struct {
	url        string
	id, secret string
	scope      string
	encode     bool
	window     float64
	client     *http.Client

	// turn holds the kept token, and lets one caller at a time look at it or fetch
	// another; the rest wait for theirs or for their context.
	turn chan keptToken
}

type keptToken struct {
	token   string
	refresh time.Time // fetch another from here on
}

func (b *build) endpoint(endpoint string, m loginModule) (*tokenEndpoint, error) {
	// The properties of Kafka 4.1 come before the options of the login module.
	pick := func(property, option string) string {
		if v := b.values[property]; !v.null && v.text != "" {
			return v.text
		}
		return m.options[option]
	}
	e := &tokenEndpoint{
		url:    endpoint,
		id:     pick("sasl.oauthbearer.client.credentials.client.id", "clientId"),
		secret: pick("sasl.oauthbearer.client.credentials.client.secret", "clientSecret"),
		scope:  pick("sasl.oauthbearer.scope", "scope"),
		encode: b.values["sasl.oauthbearer.header.urlencode"].b,
		window: b.values["sasl.login.refresh.window.factor"].f,
		turn:   make(chan keptToken, 1),
	}
	e.turn <- keptToken{}
	if e.id == "" {
		return nil, configdef.ErrorOn("sasl.oauthbearer.client.credentials.client.id", "the client's id is missing: set sasl.oauthbearer.client.credentials.client.id, or clientId in sasl.jaas.config")
	}
	if e.secret == "" {
		return nil, configdef.ErrorOn("sasl.oauthbearer.client.credentials.client.secret", "the client's secret is missing: set sasl.oauthbearer.client.credentials.client.secret, or clientSecret in sasl.jaas.config")
	}
	own := map[string]string{}
	for name, v := range m.options {
		if strings.HasPrefix(name, "ssl.") {
			own[name] = v
		}
	}
	conf, err := TLSConfig(own, false)
	if err != nil {
		return nil, fmt.Errorf("reading the ssl options in sasl.jaas.config: %w", err)
	}
	connect, read := tokenTimeout, tokenTimeout
	if v := b.values["sasl.login.connect.timeout.ms"]; v.set && v.n > 0 {
		connect = millis(v.n)
	}
	if v := b.values["sasl.login.read.timeout.ms"]; v.set && v.n > 0 {
		read = millis(v.n)
	}
	e.client = &http.Client{
		Timeout: connect + read,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: connect}).DialContext,
			TLSClientConfig:       conf,
			TLSHandshakeTimeout:   connect,
			ResponseHeaderTimeout: read,
			// Tokens are fetched once in minutes; no connection waits meanwhile.
			DisableKeepAlives: true,
		},
		// A redirect would carry the credentials somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e, nil
}

func (e *tokenEndpoint) token(ctx context.Context) (string, error) {
	var kept keptToken
	select {
	case kept = <-e.turn:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { e.turn <- kept }()
	now := time.Now()
	if kept.token != "" && now.Before(kept.refresh) {
		return kept.token, nil
	}
	token, life, err := e.fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("fetching a token from %s: %w", endpointName, err)
	}
	kept = keptToken{token: token, refresh: now.Add(time.Duration(float64(life) * e.window))}
	return token, nil
}

// fetch asks the endpoint. Its errors hold the answer's status and OAuth error code,
// never its body.
func (e *tokenEndpoint) fetch(ctx context.Context) (string, time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if e.scope != "" {
		form.Set("scope", e.scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	id, secret := e.id, e.secret
	if e.encode {
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err != nil {
		return "", 0, fmt.Errorf("reading the answer: %w", err)
	}
	var answer struct {
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		Error       string          `json:"error"`
	}
	parseErr := json.Unmarshal(body, &answer)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		if answer.Error != "" {
			return "", 0, fmt.Errorf("it answered %s: %.100q", resp.Status, answer.Error)
		}
		return "", 0, fmt.Errorf("it answered %s", resp.Status)
	}
	if parseErr != nil {
		return "", 0, fmt.Errorf("the answer is not JSON")
	}
	if answer.AccessToken == "" {
		return "", 0, fmt.Errorf("the answer has no access_token")
	}
	return answer.AccessToken, lifeOf(answer.ExpiresIn, answer.AccessToken, time.Now()), nil
}

// lifeOf is how long a token lives: what the endpoint says, else the exp claim of a
// JWT, else a few minutes.
func lifeOf(expiresIn json.RawMessage, token string, now time.Time) time.Duration {
	const most = 365 * 24 * time.Hour
	text := strings.Trim(string(expiresIn), `"`)
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 {
		return time.Duration(min(n, most.Seconds()) * float64(time.Second))
	}
	parts := strings.Split(token, ".")
	if len(parts) == 3 {
		var claims struct {
			Exp float64 `json:"exp"`
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		if err == nil && json.Unmarshal(raw, &claims) == nil && claims.Exp > 0 {
			left := claims.Exp - float64(now.Unix())
			return time.Duration(max(0, min(left, most.Seconds())) * float64(time.Second))
		}
	}
	return defaultTokenLife
}

// unsecuredToken is a JWT without signature, made from the unsecuredLogin options of
// the login module (KIP-255).
func unsecuredToken(options map[string]string, now time.Time) (string, error) {
	life := int64(3600)
	if text, ok := options["unsecuredLoginLifetimeSeconds"]; ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return "", configdef.ErrorOn(jaasName, "sasl.jaas.config: unsecuredLoginLifetimeSeconds is not a number of seconds")
		}
		life = n
	}
	claims := map[string]any{"iat": now.Unix(), "exp": now.Unix() + life}
	for name, text := range options {
		if key, ok := strings.CutPrefix(name, "unsecuredLoginStringClaim_"); ok {
			claims[key] = text
		} else if key, ok := strings.CutPrefix(name, "unsecuredLoginNumberClaim_"); ok {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return "", configdef.ErrorOn(jaasName, "sasl.jaas.config: an unsecuredLoginNumberClaim is not a number")
			}
			claims[key] = n
		} else if key, ok := strings.CutPrefix(name, "unsecuredLoginListClaim_"); ok {
			// The first character separates the elements.
			list := []string{}
			if len(text) > 1 {
				list = strings.Split(text[1:], text[:1])
			}
			claims[key] = list
		}
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(claims); err != nil {
		return "", configdef.ErrorOn(jaasName, "sasl.jaas.config: a claim can't be written as JSON")
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(bytes.TrimSpace(body.Bytes())) + ".", nil
}
