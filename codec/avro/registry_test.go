package avro

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/troupeio/troupe/codec"
	"github.com/troupeio/troupe/codec/data"
)

func register(t *testing.T, reg *srfake.Registry, subject, text string, refs ...sr.SchemaReference) int {
	t.Helper()
	id, _, err := reg.RegisterSchema(subject, sr.Schema{Schema: text, References: refs})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestSubjects: the strategies name subjects by topic or by record.
func TestSubjects(t *testing.T) {
	s, v := person()
	for name, tc := range map[string]struct {
		isKey   bool
		config  map[string]string
		subject string
	}{
		"topic, value": {false, nil, "people-value"},
		"topic, key":   {true, nil, "people-key"},
		"record":       {false, map[string]string{"value.subject.name.strategy": "io.confluent.kafka.serializers.subject.RecordNameStrategy"}, "com.acme.Person"},
		"topic record": {true, map[string]string{"key.subject.name.strategy": "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"}, "people-com.acme.Person"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := srfake.New()
			defer reg.Close()
			c := converter(t, reg, tc.config, tc.isKey)
			b, err := c.FromConnect("people", s, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reg.SubjectExists(tc.subject) {
				t.Errorf("there is no subject %s", tc.subject)
			}
			if _, _, err := c.ToConnect("people", b); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLatestVersion writes by the newest schema of the subject: its fields by name,
// those that the data lacks with their defaults, wider numbers where it has them.
func TestLatestVersion(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	id := register(t, reg, "people-value", `{"type":"record","name":"Person","namespace":"com.acme","fields":[
		{"name":"name","type":["null","string"],"default":null},
		{"name":"level","type":["int","null"],"default":3},
		{"name":"tags","type":{"type":"array","items":"string"},"default":["a","b"]},
		{"name":"ratio","type":"double","default":0.5},
		{"name":"id","type":"double"}]}`)
	c := converter(t, reg, map[string]string{"auto.register.schemas": "false", "use.latest.version": "true"}, false)
	s, v := person()
	b, err := c.FromConnect("people", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "00" + "0000000" + string(rune('0'+id)) + "02" + "06416461" + "0006" + "0402610262" + "00" + "000000000000e03f" + "0000000000001c40"; hex.EncodeToString(b) != want {
		t.Errorf("wrote %x, not %s", b, want)
	}
	_, back, err := c.ToConnect("people", b)
	if err != nil || back.String() != "Struct{name=Ada,level=3,tags=[a, b],ratio=0.5,id=7.0}" {
		t.Errorf("read %v, %v", back, err)
	}
}

// TestRefusals: what the registry refuses says why, in the words of Confluent's
// converter; the record is to blame, not the world.
func TestRefusals(t *testing.T) {
	s, v := person()
	other := data.NewStructSchema().Name("com.acme.Person").Field("id", data.StringSchema).MustBuild()
	for name, tc := range map[string]struct {
		config map[string]string
		seed   string
		write  func(c *Converter) error
		class  string
		want   []string
	}{
		"incompatible": {nil, "", func(c *Converter) error {
			_, err := c.FromConnect("people", other, data.OfStruct(data.NewStruct(other, []data.Value{data.OfString("x")})), nil)
			return err
		}, codec.ConfigException, []string{"Failed to access Avro data from topic people : ", "; error code: 409"}},
		"not registered": {map[string]string{"auto.register.schemas": "false"}, `"string"`, func(c *Converter) error {
			_, err := c.FromConnect("people", s, v, nil)
			return err
		}, codec.DataException, []string{"Failed to serialize Avro data from topic people :", "40403"}},
		"latest cannot read": {map[string]string{"auto.register.schemas": "false", "use.latest.version": "true"},
			`{"type":"record","name":"Person","namespace":"com.acme","fields":[{"name":"more","type":"int"}]}`, func(c *Converter) error {
				_, err := c.FromConnect("people", s, v, nil)
				return err
			}, codec.DataException, []string{"Failed to serialize Avro data from topic people :", "Incompatible schema", "has no default value and is missing"}},
		"no magic": {nil, "", func(c *Converter) error {
			_, _, err := c.ToConnect("people", []byte(`{"a":1}`))
			return err
		}, codec.DataException, []string{"Failed to deserialize data for topic people to Avro: ", "Unknown magic byte!"}},
		"unknown id": {nil, "", func(c *Converter) error {
			_, _, err := c.ToConnect("people", []byte{0, 0, 0, 0, 77, 1})
			return err
		}, codec.DataException, []string{"Failed to deserialize data for topic people to Avro: ", "Error retrieving Avro schema for id 77", "40403"}},
		"cut off": {nil, "", func(c *Converter) error {
			b, err := c.FromConnect("people", s, v, nil)
			if err != nil {
				return err
			}
			_, _, err = c.ToConnect("people", b[:len(b)-1])
			return err
		}, codec.DataException, []string{"Failed to deserialize data for topic people to Avro: ", "Error deserializing Avro message for id 1", errLength.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			reg := srfake.New()
			defer reg.Close()
			if name == "incompatible" {
				// The fake compares nothing: it answers as Confluent's registry does.
				reg.Intercept(refuse(409, 409, "Schema being registered is incompatible with an earlier schema"))
			} else if tc.seed != "" {
				register(t, reg, "people-value", tc.seed)
			}
			err := tc.write(converter(t, reg, tc.config, false))
			var e *codec.Error
			if !errors.As(err, &e) || e.Class != tc.class || e.Fault != codec.RecordFault {
				t.Fatalf("%#v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(chain(err), want) {
					t.Errorf("%q is not in\n%s", want, chain(err))
				}
			}
		})
	}
}

// TestReferences: a schema may refer to types of other subjects.
func TestReferences(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	register(t, reg, "addresses", `{"type":"record","name":"Address","namespace":"com.acme","fields":[{"name":"zip","type":"string"}]}`)
	id := register(t, reg, "people-value", `{"type":"record","name":"Person","namespace":"com.acme","fields":[{"name":"home","type":"Address"}]}`,
		sr.SchemaReference{Name: "com.acme.Address", Subject: "addresses", Version: 1})
	_, v, err := converter(t, reg, nil, false).ToConnect("people", []byte{0, 0, 0, 0, byte(id), 4, 'h', 'i'})
	if err != nil || v.String() != "Struct{home=Struct{zip=hi}}" {
		t.Errorf("read %v, %v", v, err)
	}
}

// TestCopiedRecord: a record whose schema the topic's subject has not is read.
func TestCopiedRecord(t *testing.T) {
	c, reg := withRegistry(t, nil)
	reg.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		r.URL.RawQuery = "" // the fake takes the subject for more than Confluent's registry does
		return false
	})
	s, v := person()
	b, err := c.FromConnect("here", s, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	gs, gv, err := c.ToConnect("there", b)
	if err != nil || !sameValue(gv, v) {
		t.Fatalf("read %v, %s", gv, chain(err))
	}
	if _, ok := gs.Version(); ok {
		t.Error("it has a version")
	}
}

// TestOutage: a registry that does not answer is no fault of the record.
func TestOutage(t *testing.T) {
	reg := srfake.New()
	c := converter(t, reg, nil, false)
	reg.Close()
	s, v := person()
	_, err := c.FromConnect("people", s, v, nil)
	var e *codec.Error
	if !errors.As(err, &e) || e.Class != codec.RetriableException || e.Fault != codec.OutageFault {
		t.Errorf("%#v", err)
	}
	_, _, err = c.ToConnect("people", []byte{0, 0, 0, 0, 1, 1})
	if !errors.As(err, &e) || e.Fault != codec.OutageFault {
		t.Errorf("%#v", err)
	}
}

// refuse answers each request to register.
func refuse(status, code int, message string) srfake.Interceptor {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/versions") {
			return false
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error_code":%d,"message":%q}`, code, message)
		return true
	}
}

func chain(err error) string {
	var all []string
	for ; err != nil; err = errors.Unwrap(err) {
		all = append(all, err.Error())
	}
	return strings.Join(all, "\n")
}
