package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/restapi"
)

// basicAuth finds the credentials of the basic authentication extension: in the
// file of our own setting, or where the JAAS configuration that KAFKA_OPTS names
// says for the context KafkaConnect.
func basicAuth(props map[string]string, kafkaOpts string) (restapi.Authenticator, error) {
	const setting = "rest.basic.auth.credentials.file"
	path := strings.TrimSpace(props[setting])
	if path == "" {
		jaas := jaasFile.FindStringSubmatch(kafkaOpts)
		if jaas == nil {
			return nil, fmt.Errorf("rest.extension.classes names basic authentication, but neither %s is set nor does KAFKA_OPTS hold -Djava.security.auth.login.config=FILE", setting)
		}
		var err error
		if path, err = credentialsFile(strings.Trim(jaas[1], `"'`)); err != nil {
			return nil, err
		}
	}
	p, err := properties.Load(path)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of the REST interface: %w", err)
	}
	return restapi.PasswordFile(p.Map()), nil
}

var (
	jaasFile    = regexp.MustCompile(`-Djava\.security\.auth\.login\.config=("[^"]*"|'[^']*'|\S+)`)
	jaasContext = regexp.MustCompile(`(?s)KafkaConnect\s*\{(.*?)\}\s*;`)
	jaasOption  = regexp.MustCompile(`file\s*=\s*"([^"]*)"`)
)

// credentialsFile reads the context KafkaConnect of a JAAS configuration.
func credentialsFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the JAAS configuration: %w", err)
	}
	m := jaasContext.FindStringSubmatch(string(b))
	if m == nil {
		return "", fmt.Errorf("reading the JAAS configuration %s: it has no context KafkaConnect", path)
	}
	if !strings.Contains(m[1], restapi.PropertyFileLoginModule) {
		return "", fmt.Errorf("reading the JAAS configuration %s: the context KafkaConnect does not use %s, the only login module that is built in", path, restapi.PropertyFileLoginModule)
	}
	f := jaasOption.FindStringSubmatch(m[1])
	if f == nil {
		return "", fmt.Errorf("reading the JAAS configuration %s: Property Credentials file must be specified", path)
	}
	return f[1], nil
}
