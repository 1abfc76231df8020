package store

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/troupeio/troupe/codec/data"
	"github.com/troupeio/troupe/connectors"
)

// Prefixes of the keys in the config topic, in the order in which they are tried.
const (
	targetStatePrefix = "target-state-"
	connectorPrefix   = "connector-"
	taskPrefix        = "task-"
	commitPrefix      = "commit-"
	restartPrefix     = "restart-connector-"
	fencingPrefix     = "tasks-fencing-"
	sessionKeyKey     = "session-key"
	loggerPrefix      = "logger-cluster-"
)

// record is a key with a value; a nil value is a tombstone.
type record struct {
	key   string
	value []byte
}

func connectorRecord(name string, config map[string]string) record {
	return record{connectorPrefix + name, propertiesValue(config)}
}

func propertiesValue(config map[string]string) []byte {
	return append(appendProperties([]byte(`{"properties":`), config), '}')
}

func taskRecord(id connectors.TaskID, config map[string]string) record {
	return record{taskPrefix + id.String(), propertiesValue(config)}
}

func commitRecord(name string, tasks int) record {
	return record{commitPrefix + name, fmt.Appendf(nil, `{"tasks":%d}`, tasks)}
}

// targetStateRecord writes the state twice: workers before KIP-875 know "state"
// only, and for them a stopped connector is paused.
func targetStateRecord(name string, s connectors.TargetState) record {
	old := s
	if s == connectors.Stopped {
		old = connectors.Paused
	}
	return record{targetStatePrefix + name, fmt.Appendf(nil, `{"state":"%s","state.v2":"%s"}`, old, s)}
}

func restartRecord(r RestartRequest) record {
	return record{restartPrefix + r.Connector, fmt.Appendf(nil, `{"include-tasks":%t,"only-failed":%t}`, r.IncludeTasks, r.OnlyFailed)}
}

func loggerRecord(namespace, level string) record {
	return record{loggerPrefix + namespace, append(appendJSONString([]byte(`{"level":`), level), '}')}
}

func fencingRecord(name string, tasks int) record {
	return record{fencingPrefix + name, fmt.Appendf(nil, `{"task-count":%d}`, tasks)}
}

func sessionKeyRecord(k SessionKey) record {
	b := appendJSONString([]byte(`{"key":`), base64.StdEncoding.EncodeToString(k.Key))
	b = appendJSONString(append(b, `,"algorithm":`...), k.Algorithm)
	return record{sessionKeyKey, fmt.Appendf(b, `,"creation-timestamp":%d}`, k.Created)}
}

// object is the value of a record, which must be a JSON object.
func object(value []byte) (*data.MapValue, error) {
	m, err := parseJSONMap(value)
	if err == nil && m == nil {
		err = fmt.Errorf("the value is null")
	}
	return m, err
}

func textMember(m *data.MapValue, key string) (string, error) {
	v, _ := m.Get(key)
	if v.Kind() != data.KindString {
		return "", fmt.Errorf("%q should be a string and is %s", key, v.Kind().JavaClass())
	}
	return v.Str(), nil
}

func intMember(m *data.MapValue, key string) (int64, error) {
	v, _ := m.Get(key)
	if v.Kind() != data.KindInt64 {
		return 0, fmt.Errorf("%q should be an integer and is %s", key, v.Kind().JavaClass())
	}
	return v.Int(), nil
}

// countMember is intMember for a number of tasks, a Java int.
func countMember(m *data.MapValue, key string) (int, error) {
	n, err := intMember(m, key)
	if err == nil && (n < 0 || n > 1<<31-1) {
		err = fmt.Errorf("%q is %d", key, n)
	}
	return int(n), err
}

// boolMember takes anything but a boolean for false, as Kafka Connect does.
func boolMember(m *data.MapValue, key string) bool {
	v, _ := m.Get(key)
	return v.Bool()
}

// propertiesMember reads a configuration. A null value is as if it were not there.
func propertiesMember(value []byte) (map[string]string, error) {
	m, err := object(value)
	if err != nil {
		return nil, err
	}
	v, _ := m.Get("properties")
	if v.Kind() != data.KindMap {
		return nil, fmt.Errorf(`"properties" should be an object and is %s`, v.Kind().JavaClass())
	}
	config := make(map[string]string, v.Map().Len())
	for _, e := range v.Map().Entries() {
		switch e.Value.Kind() {
		case data.KindString:
			config[e.Key.Str()] = e.Value.Str()
		case data.KindNull:
		default:
			return nil, fmt.Errorf("the setting %q is no string", e.Key.Str())
		}
	}
	return config, nil
}

func parseTargetState(value []byte) (connectors.TargetState, error) {
	m, err := object(value)
	if err != nil {
		return 0, err
	}
	s, err := textMember(m, "state.v2")
	if err != nil {
		if s, err = textMember(m, "state"); err != nil {
			return 0, err
		}
	}
	for t := connectors.Started; t <= connectors.Stopped; t++ {
		if t.String() == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("there is no target state %q", s)
}

func parseSessionKey(value []byte) (k SessionKey, err error) {
	m, err := object(value)
	if err != nil {
		return k, err
	}
	text, err := textMember(m, "key")
	if err != nil {
		return k, err
	}
	if k.Key, err = base64.StdEncoding.DecodeString(text); err != nil {
		return k, fmt.Errorf("the key is not base64")
	}
	if k.Algorithm, err = textMember(m, "algorithm"); err != nil {
		return k, err
	}
	k.Created, err = intMember(m, "creation-timestamp")
	return k, err
}

// parseTaskKey splits "<connector>-<number>" at its last dash.
func parseTaskKey(s string) (connectors.TaskID, error) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return connectors.TaskID{}, fmt.Errorf("%q is no task", s)
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 31)
	if err != nil {
		return connectors.TaskID{}, fmt.Errorf("%q is no task", s)
	}
	return connectors.TaskID{Connector: s[:i], Task: int(n)}, nil
}
