package restapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // HmacSHA1 is one of Kafka Connect's choices; as a MAC it stands
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupeio/troupe/cluster"
	"github.com/troupeio/troupe/cluster/store"
)

// The headers of a request of one node to another. The first two are Kafka Connect's
// (KIP-507): a MAC of the body alone, with the session key. It fits any path and has
// no end, so two of our own go with it and are needed too: what the request is, and a
// MAC of that with its method and path.
const (
	headerSignature = "X-Connect-Authorization"
	headerAlgorithm = "X-Connect-Request-Signature-Algorithm"
	headerRequest   = "X-Troupe-Request"
	headerSigned    = "X-Troupe-Signature"
)

// DefaultAlgorithm is the default of inter.worker.signature.algorithm.
const DefaultAlgorithm = "HmacSHA256"

// clockSlack is how far the clocks of two nodes may be apart, and so how long a
// captured request stays acceptable to a node that has not seen it.
const clockSlack = 5 * time.Minute

// The refusals of Kafka Connect, in its words.
var (
	errUnsigned  = cluster.Errorf(http.StatusBadRequest, "Internal request missing required signature")
	errNoKey     = cluster.Errorf(http.StatusServiceUnavailable, "This worker is still starting up and has not been able to read a session key from the config topic yet")
	errSignature = cluster.Errorf(http.StatusForbidden, "Internal request contained invalid signature.")
)

// macOf returns the hash of a MAC by its Java name, whose case does not count; nil for
// one that is not known here.
func macOf(algorithm string) func() hash.Hash {
	switch strings.ToLower(algorithm) {
	case "hmacsha1":
		return sha1.New
	case "hmacsha224":
		return sha256.New224
	case "hmacsha256":
		return sha256.New
	case "hmacsha384":
		return sha512.New384
	case "hmacsha512":
		return sha512.New
	case "hmacsha512/224":
		return sha512.New512_224
	case "hmacsha512/256":
		return sha512.New512_256
	case "hmacsha3-256":
		return func() hash.Hash { return sha3.New256() }
	case "hmacsha3-384":
		return func() hash.Hash { return sha3.New384() }
	case "hmacsha3-512":
		return func() hash.Hash { return sha3.New512() }
	}
	return nil
}

// CheckAlgorithms checks inter.worker.signature.algorithm and
// inter.worker.verification.algorithms.
func CheckAlgorithms(signature string, verification []string) error {
	if macOf(signature) == nil {
		return fmt.Errorf("Invalid value %s for configuration inter.worker.signature.algorithm: it is no MAC algorithm that this worker has", signature)
	}
	found := false
	for _, v := range verification {
		if macOf(v) == nil {
			return fmt.Errorf("Invalid value %s for configuration inter.worker.verification.algorithms: it is no MAC algorithm that this worker has", v)
		}
		found = found || strings.EqualFold(v, signature)
	}
	if !found {
		return fmt.Errorf("Invalid value %s for configuration inter.worker.signature.algorithm: Signature algorithm must be present in inter.worker.verification.algorithms list", signature)
	}
	return nil
}

// signer signs requests to other nodes and verifies theirs. It may be used from any
// goroutine.
type signer struct {
	keys      cluster.SessionKeys
	algorithm string
	accepted  []string
	seen      nonces
}

// newSigner checks the algorithms; "" and nil are the defaults.
func newSigner(keys cluster.SessionKeys, algorithm string, accepted []string) (*signer, error) {
	if algorithm == "" {
		algorithm = DefaultAlgorithm
	}
	if len(accepted) == 0 {
		accepted = []string{algorithm}
	}
	if err := CheckAlgorithms(algorithm, accepted); err != nil {
		return nil, err
	}
	return &signer{keys: keys, algorithm: algorithm, accepted: accepted}, nil
}

// sign adds the headers for a request with this body, whose path begins at path
// ("/connectors", whatever stands before it in the URL). Without a key it returns
// [errNoKey].
func (s *signer) sign(r *http.Request, path string, body []byte) error {
	return s.signAt(time.Now(), r, path, body)
}

func (s *signer) signAt(now time.Time, r *http.Request, path string, body []byte) error {
	keys := s.keys.SessionKeys()
	if len(keys) == 0 {
		return errNoKey
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	digest := sha256.Sum256(body)
	what := fmt.Sprintf("1 %d %x %x", now.UnixMilli(), nonce, digest)
	h := macOf(s.algorithm)
	r.Header.Set(headerSignature, base64.StdEncoding.EncodeToString(mac(h, keys[0].Key, body)))
	r.Header.Set(headerAlgorithm, s.algorithm)
	r.Header.Set(headerRequest, what)
	r.Header.Set(headerSigned, base64.StdEncoding.EncodeToString(mac(h, requestKey(keys[0]), canonical(what, r.Method, path, r.Header))))
	return nil
}

func mac(h func() hash.Hash, key, text []byte) []byte {
	m := hmac.New(h, key)
	m.Write(text)
	return m.Sum(nil)
}

// requestKey is the key for our own header. It is another one, and not a MAC with the
// session key either: users choose the bodies that Kafka Connect's header signs, and
// would choose one that reads like our text.
func requestKey(k store.SessionKey) []byte {
	sum := sha256.Sum256(append([]byte("troupe request 1\n"), k.Key...))
	return sum[:]
}

// canonical is the text of our own MAC: what the request is, and whether it is a
// repetition.
func canonical(what, method, path string, h http.Header) []byte {
	return []byte(what + "\n" + method + "\n" + path + "\n" + h.Get(headerAgain))
}

// pathOf is the part of a request's address that is signed, as it goes over the wire.
func pathOf(r *http.Request) string { return r.URL.EscapedPath() + "?" + r.URL.RawQuery }

// algorithmOf reads Kafka Connect's two headers, in the order of its checks.
func (s *signer) algorithmOf(h http.Header) (hash func() hash.Hash, signature []byte, err error) {
	algorithm, encoded := h.Get(headerAlgorithm), h.Get(headerSignature)
	if algorithm == "" || encoded == "" {
		return nil, nil, errUnsigned
	}
	hash = macOf(algorithm)
	if hash == nil {
		return nil, nil, cluster.Errorf(http.StatusBadRequest, "Algorithm %s not available", algorithm)
	}
	if signature, err = base64.StdEncoding.DecodeString(encoded); err != nil {
		return nil, nil, cluster.Errorf(http.StatusBadRequest, "Reading the signature of an internal request: %v", err)
	}
	for _, a := range s.accepted {
		if strings.EqualFold(a, algorithm) {
			return hash, signature, nil
		}
	}
	return nil, nil, cluster.Errorf(http.StatusBadRequest, "This worker does not support the '%s' key signing algorithm used by other workers. "+
		"This worker is currently configured to use: [%s]. Check that all workers' configuration files permit the same set of signature algorithms, "+
		"and correct any misconfigured worker and restart it.", algorithm, strings.Join(s.accepted, ", "))
}

// refusal is the answer to a request for an internal path that does not come from a
// node: what Kafka Connect would say about its headers, at best that they are wrong.
func (s *signer) refusal(r *http.Request) error {
	if _, _, err := s.algorithmOf(r.Header); err != nil {
		return err
	}
	if len(s.keys.SessionKeys()) == 0 {
		return errNoKey
	}
	return errSignature
}

// verify checks the request of another node and returns its body. The headers are
// checked first, so that nobody else makes this node read one.
func (s *signer) verify(r *http.Request) ([]byte, error) {
	hash, signature, err := s.algorithmOf(r.Header)
	if err != nil {
		return nil, err
	}
	keys := s.keys.SessionKeys()
	if len(keys) == 0 {
		return nil, errNoKey
	}
	what := r.Header.Get(headerRequest)
	signed, err := base64.StdEncoding.DecodeString(r.Header.Get(headerSigned))
	if err != nil {
		return nil, errSignature
	}
	var by *store.SessionKey
	text := canonical(what, r.Method, pathOf(r), r.Header)
	for i := range keys {
		if hmac.Equal(signed, mac(hash, requestKey(keys[i]), text)) {
			by = &keys[i]
			break
		}
	}
	if by == nil {
		return nil, errSignature
	}
	at, nonce, digest, err := parseWhat(what)
	if err != nil {
		return nil, errSignature // signed, but by another version's rules
	}
	now := time.Now()
	if d := now.Sub(at).Abs(); d > clockSlack {
		return nil, cluster.Errorf(http.StatusForbidden, "The clocks of two nodes are apart: a request of another node was signed at %s, %v from this node's %s; up to %v is taken. Set the nodes' clocks.",
			at.UTC().Format(time.RFC3339), d.Round(time.Second), now.UTC().Format(time.RFC3339), clockSlack)
	}
	body, err := readRaw(r.Body)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], digest) || !hmac.Equal(signature, mac(hash, by.Key, body)) {
		return nil, errSignature
	}
	// What only reads may come twice: net/http sends a GET again by itself.
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !s.seen.first(nonce, now) {
		return nil, errSignature
	}
	return body, nil
}

// parseWhat reads the header that [signer.sign] writes.
func parseWhat(s string) (at time.Time, nonce [16]byte, digest []byte, err error) {
	f := strings.Split(s, " ")
	if len(f) != 4 || f[0] != "1" || len(f[2]) != 2*len(nonce) {
		return at, nonce, nil, errors.New("the header " + headerRequest + " is of no known form")
	}
	ms, err := strconv.ParseInt(f[1], 10, 64)
	if err == nil {
		_, err = hex.Decode(nonce[:], []byte(f[2]))
	}
	if err == nil {
		digest, err = hex.DecodeString(f[3])
	}
	return time.UnixMilli(ms), nonce, digest, err
}

// maxNonces bounds the memory of requests seen: some 5 MB. Beyond it the oldest are
// forgotten earlier.
const maxNonces = 100_000

// nonces remembers which requests were taken, for as long as one could be taken
// again: it may be dated clockSlack ahead and is good until clockSlack after.
type nonces struct {
	mu        sync.Mutex
	cur, prev map[[16]byte]struct{}
	turned    time.Time
}

// first reports whether a request is new, and notes it.
func (n *nonces) first(nonce [16]byte, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cur == nil || now.Sub(n.turned) > 2*clockSlack || len(n.cur) >= maxNonces {
		n.prev, n.cur, n.turned = n.cur, make(map[[16]byte]struct{}), now
	}
	_, a := n.cur[nonce]
	_, b := n.prev[nonce]
	if a || b {
		return false
	}
	n.cur[nonce] = struct{}{}
	return true
}

// readRaw reads a body to its end, within bounds, byte for byte.
func readRaw(body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, cluster.Errorf(http.StatusBadRequest, "Reading the request's body: %v", err)
	}
	if len(b) > maxBody {
		return nil, cluster.Errorf(http.StatusRequestEntityTooLarge, "The request's body is larger than %d bytes", maxBody)
	}
	return b, nil
}
