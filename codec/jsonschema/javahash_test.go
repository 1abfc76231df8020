package jsonschema

import (
	"fmt"
	"strings"
	"testing"
)

// TestHashOrder compares with what a JVM (17) printed.
func TestHashOrder(t *testing.T) {
	var fields []string
	for i := range 30 {
		fields = append(fields, fmt.Sprintf("field_%dé", i))
	}
	for name, tc := range map[string]struct {
		got  []string
		want string
	}{
		"new HashMap()": {hashOrder([]string{"id", "note", "key", "value", "f", "s"}, defaultTable(6)), "note, s, f, id, value, key"},
		"grown": {hashOrder(fields, defaultTable(30)), "field_10é, field_22é, field_20é, field_14é, field_26é, field_12é, field_24é, field_29é, field_19é, " +
			"field_27é, field_17é, field_9é, field_7é, field_5é, field_3é, field_1é, field_21é, field_11é, field_25é, field_15é, field_23é, field_13é, " +
			"field_18é, field_16é, field_28é, field_8é, field_6é, field_4é, field_2é, field_0é"},
		"copied, 2": {copied("connect.type", "connect.version"), "connect.version, connect.type"},
		"copied, 3": {copied("connect.type", "connect.version", "connect.index"), "connect.index, connect.version, connect.type"},
		"copied, 4": {copied("connect.type", "connect.version", "connect.parameters", "connect.index"), "connect.index, connect.version, connect.type, connect.parameters"},
	} {
		if got := strings.Join(tc.got, ", "); got != tc.want {
			t.Errorf("%s: got %s\nwant %s", name, got, tc.want)
		}
	}
}

func copied(names ...string) []string {
	return hashOrder(hashOrder(names, defaultTable(len(names))), copiedTable(len(names)))
}
