package devregistry

import (
	"fmt"
	"net/http"
)

// apiError is an answer that refuses: its code is the HTTP status, or begins with
// it.
type apiError struct {
	code int
	text string
}

func (e *apiError) Error() string { return e.text }

func (e *apiError) status() int {
	if e.code > 999 {
		return e.code / 100
	}
	return e.code
}

func refuse(code int, format string, args ...any) error {
	return &apiError{code, fmt.Sprintf(format, args...)}
}

// The refusals, with the codes and texts of Confluent's registry.

func noSubject(subject string) error { return refuse(40401, "Subject '%s' not found.", subject) }
func noVersion(v string) error       { return refuse(40402, "Version %s not found.", v) }
func noSchema() error                { return refuse(40403, "Schema not found") }
func noID(id string) error           { return refuse(40403, "Schema %s not found", id) }

func subjectDeleted(subject string) error {
	return refuse(40404, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", subject)
}

func subjectNotDeleted(subject string) error {
	return refuse(40405, "Subject '%s' was not deleted first before being permanently deleted", subject)
}

func versionDeleted(subject string, v int) error {
	return refuse(40406, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", subject, v)
}

func versionNotDeleted(subject string, v int) error {
	return refuse(40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v)
}

func noSubjectConfig(subject string) error {
	return refuse(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func noSubjectMode(subject string) error {
	return refuse(40409, "Subject '%s' does not have subject-level mode configured", subject)
}

func invalidSchema(why error) error { return refuse(42201, "Invalid schema: %s", why) }

func invalidVersion(v string) error {
	return refuse(42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", v)
}

func invalidPolicy() error {
	return refuse(42203, "Invalid compatibility policy. Valid values are strict and lenient")
}

func invalidLevel() error {
	return refuse(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func invalidMode() error {
	return refuse(42204, "Invalid mode. Valid values are READWRITE, READONLY, and IMPORT.")
}

func readOnly(subject string) error { return refuse(42205, "Subject %s is in read-only mode", subject) }

func referenced(subject string, v int) error {
	return refuse(42206, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, v)
}

func incompatible(subject, details string) error {
	return refuse(http.StatusConflict, "Schema being registered is incompatible with an earlier schema for subject \"%s\", details: %s", subject, details)
}
