package golden

import (
	"regexp"
	"strings"
)

// Error is a recorded exception.
type Error struct {
	Phase           string
	Class           string
	Message         *string
	Kafka           bool
	CauseClass      string
	MessageUnstable bool
}

// oneClass maps Java's classes to those that we have: one of maps, one of bytes.
var oneClass = strings.NewReplacer("java.util.LinkedHashMap", "java.util.HashMap", "java.nio.HeapByteBuffer", "[B")

// identity is what Java prints of an object without a text of its own.
var identity = regexp.MustCompile(`@(<hash>|[0-9a-f]+)`)

// DiffError says how an error of this phase, which has the class of Java, differs
// from the recorded one, by the rules of the vectors' README. Of an exception of the
// Java runtime only the fact and the phase bind, but for the one that ExtractField
// words itself; after "Invalid regex: " and "java.lang.IllegalArgumentException: "
// the text is the Java runtime's.
func DiffError(want *Error, phase, class string, err error) string {
	switch {
	case want == nil && err == nil:
		return ""
	case want == nil:
		return "an error in phase " + phase + ", want none: " + err.Error()
	case err == nil:
		return "no error, want " + want.Class + " in " + want.Phase
	case want.Phase != phase:
		return "an error in phase " + phase + ", want it in " + want.Phase + ": " + err.Error()
	}
	message := ""
	if want.Message != nil {
		message = *want.Message
	}
	if !want.Kafka && !strings.HasPrefix(message, "Unknown field: ") {
		return ""
	}
	if class = class[strings.LastIndexByte(class, '.')+1:]; class != want.Class {
		return "class " + class + ", want " + want.Class
	}
	if want.Message == nil {
		return ""
	}
	got, message := stable(err.Error()), stable(message)
	for _, cut := range []string{"Invalid regex: ", "java.lang.IllegalArgumentException: "} {
		if before, _, ok := strings.Cut(message, cut); ok && strings.HasPrefix(got, before+cut) {
			return ""
		}
	}
	if got != message {
		return "message\n   " + err.Error() + "\nwant\n   " + *want.Message
	}
	return ""
}

func stable(s string) string { return identity.ReplaceAllString(oneClass.Replace(s), "@") }
