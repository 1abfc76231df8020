package restapi

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// BasicAuthExtension is the class name of Kafka Connect's basic authentication.
const BasicAuthExtension = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"

// PropertyFileLoginModule is the only JAAS module that the extension takes here.
const PropertyFileLoginModule = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"

// Authenticator decides who may use the interface.
type Authenticator interface {
	Authenticate(user, password string) bool
}

// PasswordFile holds the users of a credentials file, read once. An empty one lets
// everybody in, as Kafka Connect's does.
type PasswordFile map[string]string

// Authenticate implements [Authenticator].
func (p PasswordFile) Authenticate(user, password string) bool {
	if len(p) == 0 {
		return true
	}
	want, ok := p[user]
	// The comparison takes as long for a user that does not exist.
	same := subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
	return ok && same
}

// authenticate lets a request through only with valid credentials, whatever its
// path; without an authenticator all are.
func authenticate(auth Authenticator, next http.Handler) http.Handler {
	if auth == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password := basicCredentials(r.Header.Get("Authorization"))
		if !auth.Authenticate(user, password) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, "User cannot access the resource.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// basicCredentials reads "Basic <base64>"; the scheme in any case, the password with
// any colons.
func basicCredentials(header string) (user, password string) {
	scheme, enc, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "basic") {
		return "", ""
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(enc))
	if err != nil {
		return "", ""
	}
	user, password, _ = strings.Cut(string(b), ":")
	return user, password
}
