package kafkaclient

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// firstMessage is what a client with these properties first says to a broker.
func firstMessage(t *testing.T, props map[string]string) (string, error) {
	t.Helper()
	b := &build{kind: Producer, props: props, values: map[string]value{}, env: Env{Getenv: os.Getenv}}
	b.read()
	b.security(b.values["security.protocol"])
	if len(b.errs) > 0 {
		t.Fatal(b.errs)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, msg, err := b.mechanism.Authenticate(ctx, "broker:9092")
	return string(msg), err
}

func oauthProps(pairs ...string) map[string]string {
	return with(append([]string{"security.protocol", "SASL_SSL", "sasl.mechanism", "OAUTHBEARER", "sasl.login.callback.handler.class", oauthHandler}, pairs...)...)
}

func TestClientCredentials(t *testing.T) {
	var asked int
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		id, secret, _ := r.BasicAuth()
		if id != "me" || secret != "topsecret" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"topsecret"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"tok","expires_in":3600}`))
	}))
	defer srv.Close()
	for _, row := range []struct {
		name  string
		props map[string]string
	}{
		{"by options", oauthProps(endpointName, srv.URL, jaasName, oauthModule+` required clientId="me" clientSecret="topsecret" scope="kafka" extension_x="y";`)},
		{"by properties", oauthProps(endpointName, srv.URL, "sasl.oauthbearer.client.credentials.client.id", "me",
			"sasl.oauthbearer.client.credentials.client.secret", "topsecret", "sasl.oauthbearer.scope", "kafka")},
	} {
		t.Run(row.name, func(t *testing.T) {
			msg, err := firstMessage(t, row.props)
			if err != nil || !strings.Contains(msg, "auth=Bearer tok") {
				t.Errorf("have %q, %v", msg, err)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		_, err := firstMessage(t, oauthProps(endpointName, srv.URL, jaasName, oauthModule+` required clientId="me" clientSecret="topsecret";`))
		if err == nil || !strings.Contains(err.Error(), `401 Unauthorized: "invalid_client"`) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("have %v", err)
		}
	})
	if asked != 3 {
		t.Errorf("the endpoint was asked %d times", asked)
	}
}

// TestTokenIsKept: one endpoint is asked again only past its refresh window.
func TestTokenIsKept(t *testing.T) {
	var asked int
	life := `"3600"`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"access_token":"tok","expires_in":` + life + `}`))
	}))
	defer srv.Close()
	e := &tokenEndpoint{url: srv.URL, id: "i", secret: "s", window: 0.8, client: srv.Client(), turn: make(chan keptToken, 1)}
	e.turn <- keptToken{}
	for range 3 {
		if _, err := e.token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for a token that lives", asked)
	}
	<-e.turn
	e.turn <- keptToken{token: "old", refresh: time.Now().Add(-time.Second)}
	if token, err := e.token(t.Context()); err != nil || token != "tok" || asked != 2 {
		t.Errorf("past the window: %q, %v, asked %d times", token, err, asked)
	}
}

func TestOtherTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	msg, err := firstMessage(t, oauthProps(endpointName, "file://"+file))
	if err != nil || !strings.Contains(msg, "auth=Bearer from-file\x01") {
		t.Errorf("from a file: %q, %v", msg, err)
	}
	token, err := unsecuredToken(map[string]string{"unsecuredLoginStringClaim_sub": "me", "unsecuredLoginListClaim_scope": ",a,b"}, time.Unix(1000, 0))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(parts) != 3 || parts[2] != "" || string(claims) != `{"exp":4600,"iat":1000,"scope":["a","b"],"sub":"me"}` {
		t.Errorf("unsecured: %s, %v", claims, err)
	}
	now := time.Unix(1000, 0)
	jwt := "x." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1100}`)) + ".y"
	if life := lifeOf(nil, jwt, now); life != 100*time.Second {
		t.Errorf("a token with exp lives %v", life)
	}
}

func TestAWS(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	if err := os.WriteFile(file, []byte("# x\n[default]\naws_access_key_id = A\naws_secret_access_key=S\n[other]\naws_access_key_id=B\naws_secret_access_key=T\naws_session_token=U\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut:
			_, _ = w.Write([]byte("session"))
		case r.URL.Path == "/container" && r.Header.Get("Authorization") == "auth":
			_, _ = w.Write([]byte(`{"AccessKeyId":"C","SecretAccessKey":"S","Token":"T"}`))
		case r.Header.Get("X-aws-ec2-metadata-token") != "session":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			_, _ = w.Write([]byte("role\n"))
		case strings.HasSuffix(r.URL.Path, "/security-credentials/role"):
			_, _ = w.Write([]byte(`{"AccessKeyId":"I","SecretAccessKey":"S","Token":"T"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer srv.Close()
	for _, row := range []struct {
		name, profile string
		env           map[string]string
		key           string
	}{
		{"environment", "", map[string]string{"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SHARED_CREDENTIALS_FILE": file}, "E"},
		{"file", "", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file}, "A"},
		{"profile", "", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "other"}, "B"},
		{"profile of the module", "other", map[string]string{"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SHARED_CREDENTIALS_FILE": file}, "B"},
		{"no such profile", "none", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file}, ""},
		{"container", "", map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "auth"}, "C"},
		{"instance", "", nil, "I"},
		{"nothing", "", map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := awsChain{getenv: func(n string) string { return row.env[n] }, profile: row.profile, instance: srv.URL, container: srv.URL}
			auth, err := c.find(t.Context())
			if auth.AccessKey != row.key || (err == nil) != (row.key != "") {
				t.Errorf("have %q, %v", auth.AccessKey, err)
			}
		})
	}
	_, err := Options(Producer, with("security.protocol", "SASL_SSL", "sasl.mechanism", "AWS_MSK_IAM", "sasl.client.callback.handler.class", iamHandler,
		jaasName, iamModule+` required awsRoleArn="arn:x";`), Env{})
	if err == nil || !strings.Contains(err.Error(), "awsRoleArn is not supported") {
		t.Errorf("a role: %v", err)
	}
}

func TestKerberosErrors(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(conf, []byte("[libdefaults]\n default_realm = EXAMPLE.COM\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, options, service, want string }{
		{"ticket cache", "useTicketCache=true", "kafka", "only logins by key tab are supported"},
		{"no principal", "useKeyTab=true keyTab=/x", "kafka", "the option principal is missing"},
		{"no service", "useKeyTab=true keyTab=/x principal=a", "", "No serviceName defined in either JAAS or Kafka config"},
		{"two services", "useKeyTab=true keyTab=/x principal=a serviceName=b", "kafka", "Conflicting serviceName values"},
		{"no key tab", `useKeyTab=true keyTab="/no/such" principal="a@B"`, "kafka", "reading keyTab /no/such"},
	} {
		t.Run(row.name, func(t *testing.T) {
			props := with("security.protocol", "SASL_PLAINTEXT", jaasName, kerberosModule+" required "+row.options+";")
			if row.service != "" {
				props["sasl.kerberos.service.name"] = row.service
			}
			_, err := Options(Producer, props, Env{Getenv: func(string) string { return conf }})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("have %v, want %q", err, row.want)
			}
		})
	}
}
