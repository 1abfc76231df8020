package restapi

import (
	"errors"
	"net/http"

	"github.com/troupeio/troupe/cluster"
)

// The endpoints that Kafka Connect's workers have for each other. No worker sends
// such requests here, so none is ever signed with a key that counts.
const (
	headerSignature = "X-Connect-Authorization"
	headerAlgorithm = "X-Connect-Request-Signature-Algorithm"
)

func (a *api) internalTasks(w http.ResponseWriter, r *request) {
	b, err := readBody(r)
	if err == nil && b == nil {
		err = unreadable(errors.New("it is empty; a JSON array of task configurations is expected"))
	}
	if err == nil {
		var configs []map[string]*text
		err = decode(b, &configs)
	}
	a.refuseInternal(w, r, err, "Kafka Connect in standalone mode does not support externally setting task configurations.")
}

func (a *api) internalFence(w http.ResponseWriter, r *request) {
	a.refuseInternal(w, r, nil, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
}

func (a *api) refuseInternal(w http.ResponseWriter, r *request, err error, standalone string) {
	switch {
	case err != nil:
	case a.standalone:
		err = errors.New(standalone)
	case r.Header.Get(headerSignature) == "" || r.Header.Get(headerAlgorithm) == "":
		err = cluster.Errorf(http.StatusBadRequest, "Internal request missing required signature")
	default:
		err = cluster.Errorf(http.StatusForbidden, "Internal request contained invalid signature.")
	}
	fail(w, err)
}
