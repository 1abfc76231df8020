package kafkaclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"

	"github.com/troupeio/troupe/codec/configdef"
)

const (
	// metadataTimeout bounds one request to the instance or container service, which
	// is on the same machine.
	metadataTimeout = 2 * time.Second
	instanceService = "http://169.254.169.254"
	containerHost   = "http://169.254.170.2"
)

// iam builds AWS_MSK_IAM. Credentials are looked for at each login, in this order:
// the environment, the shared files, the container's service, the instance's
// service. Roles that must be assumed first need the AWS SDK and are refused.
func (b *build) iam(m loginModule) (sasl.Mechanism, error) {
	for _, name := range []string{"awsRoleArn", "awsRoleSessionName", "awsRoleExternalId", "awsStsRegion"} {
		if m.options[name] != "" {
			return nil, configdef.ErrorOn(jaasName, "Invalid value %s for configuration sasl.jaas.config: the option %s is not supported, since no role is assumed here; give credentials of the role", hidden, name)
		}
	}
	if b.env.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" && b.env.Getenv("AWS_ACCESS_KEY_ID") == "" {
		return nil, configdef.ErrorOn("sasl.mechanism", "sasl.mechanism AWS_MSK_IAM with AWS_WEB_IDENTITY_TOKEN_FILE is not supported, since no role is assumed here")
	}
	c := awsChain{getenv: b.env.Getenv, profile: m.options["awsProfileName"], instance: instanceService, container: containerHost}
	return aws.ManagedStreamingIAM(c.find), nil
}

// awsChain looks for credentials.
type awsChain struct {
	getenv              func(string) string
	profile             string // from the login module; then only the files count
	instance, container string
}

func (c awsChain) find(ctx context.Context) (aws.Auth, error) {
	if c.profile == "" {
		if key, secret := c.getenv("AWS_ACCESS_KEY_ID"), c.getenv("AWS_SECRET_ACCESS_KEY"); key != "" && secret != "" {
			return aws.Auth{AccessKey: key, SecretKey: secret, SessionToken: c.getenv("AWS_SESSION_TOKEN")}, nil
		}
	}
	if auth, ok, err := c.files(); ok || err != nil {
		return auth, err
	}
	if c.profile != "" {
		return aws.Auth{}, fmt.Errorf("looking for AWS credentials: the profile %q of sasl.jaas.config has none", c.profile)
	}
	if auth, ok, err := c.containerAuth(ctx); ok || err != nil {
		return auth, err
	}
	if c.getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		if auth, err := c.instanceAuth(ctx); err == nil {
			return auth, nil
		}
	}
	return aws.Auth{}, errors.New("looking for AWS credentials: none in the environment, the shared files, the container or the instance")
}

// files reads the shared credentials file and the config file.
func (c awsChain) files() (aws.Auth, bool, error) {
	profile := c.profile
	if profile == "" {
		profile = c.getenv("AWS_PROFILE")
	}
	if profile == "" {
		profile = "default"
	}
	section := "profile " + profile
	if profile == "default" {
		section = profile
	}
	for _, f := range []struct{ env, name, section string }{
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials", profile},
		{"AWS_CONFIG_FILE", "config", section},
	} {
		path := c.getenv(f.env)
		if path == "" {
			home := c.getenv("HOME")
			if home == "" {
				continue
			}
			path = filepath.Join(home, ".aws", f.name)
		}
		keys, err := iniSection(path, f.section)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return aws.Auth{}, false, fmt.Errorf("looking for AWS credentials: reading %s: %w", path, err)
		}
		if keys["aws_access_key_id"] != "" && keys["aws_secret_access_key"] != "" {
			return aws.Auth{AccessKey: keys["aws_access_key_id"], SecretKey: keys["aws_secret_access_key"], SessionToken: keys["aws_session_token"]}, true, nil
		}
	}
	return aws.Auth{}, false, nil
}

// iniSection reads the keys of one section.
func iniSection(path, section string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	keys := map[string]string{}
	in := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			in = strings.TrimSpace(strings.Trim(line, "[]")) == section
			continue
		}
		if k, v, ok := strings.Cut(line, "="); ok && in {
			keys[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	return keys, lines.Err()
}

func (c awsChain) containerAuth(ctx context.Context) (aws.Auth, bool, error) {
	where := c.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := c.getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		where = c.container + relative
	}
	if where == "" {
		return aws.Auth{}, false, nil
	}
	token := c.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := c.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return aws.Auth{}, false, fmt.Errorf("looking for AWS credentials: reading the container's token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	body, err := ask(ctx, http.MethodGet, where, map[string]string{"Authorization": token})
	if err == nil {
		var auth aws.Auth
		if auth, err = awsAnswer(body); err == nil {
			return auth, true, nil
		}
	}
	return aws.Auth{}, false, fmt.Errorf("looking for AWS credentials: asking the container's service: %w", err)
}

// instanceAuth asks the instance's service, version 2: a session token first, then
// the role's name, then its credentials.
func (c awsChain) instanceAuth(ctx context.Context) (aws.Auth, error) {
	token, err := ask(ctx, http.MethodPut, c.instance+"/latest/api/token", map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "300"})
	if err != nil {
		return aws.Auth{}, err
	}
	header := map[string]string{"X-aws-ec2-metadata-token": string(token)}
	const path = "/latest/meta-data/iam/security-credentials/"
	role, err := ask(ctx, http.MethodGet, c.instance+path, header)
	if err != nil {
		return aws.Auth{}, err
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(role)), "\n")
	body, err := ask(ctx, http.MethodGet, c.instance+path+url.PathEscape(name), header)
	if err != nil {
		return aws.Auth{}, err
	}
	return awsAnswer(body)
}

// ask makes one short request to a service on this machine, past any proxy.
func ask(ctx context.Context, method, where string, header map[string]string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, where, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		if v != "" {
			req.Header.Set(k, v)
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
}

func awsAnswer(body []byte) (aws.Auth, error) {
	var a struct{ AccessKeyID, SecretAccessKey, Token string }
	if err := json.Unmarshal(body, &a); err != nil {
		return aws.Auth{}, errors.New("the answer is not JSON")
	}
	if a.AccessKeyID == "" || a.SecretAccessKey == "" {
		return aws.Auth{}, errors.New("the answer has no credentials")
	}
	return aws.Auth{AccessKey: a.AccessKeyID, SecretKey: a.SecretAccessKey, SessionToken: a.Token}, nil
}
