package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/codec/configdef"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
	"github.com/troupeio/troupe/connectors/connectconfig"
	"github.com/troupeio/troupe/connectors/converters"
	"github.com/troupeio/troupe/connectors/file"
	"github.com/troupeio/troupe/connectors/transforms"
	"github.com/troupeio/troupe/internal/golden"
	"github.com/troupeio/troupe/internal/golden/validation"
)

// TestGoldenValidate replays every recorded validation on the plugins that REST asks.
func TestGoldenValidate(t *testing.T) {
	reg, err := connectors.NewRegistry(file.Plugins(), converters.Plugins(), transforms.Plugins())
	if err != nil {
		t.Fatal(err)
	}
	resolver, err := configprovider.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"
	type row struct {
		Mode, Path   string
		Config       json.RawMessage
		Status       int
		ResponseBody string `json:"response_body"`
	}
	golden.Replay(t, "config_validate.jsonl", func(t *testing.T, r row) (ours, diff string) {
		p := &Plugins{Registry: reg, Resolver: resolver, Policy: kafkaclient.All, Standalone: r.Mode == "standalone", GroupID: "connect-cluster",
			Worker: connectconfig.Worker{KeyConverter: jsonConverter, ValueConverter: jsonConverter,
				HeaderConverter: "org.apache.kafka.connect.storage.SimpleHeaderConverter"}}
		var config map[string]*string
		if err := json.Unmarshal(r.Config, &config); err != nil {
			t.Fatal(err)
		}
		plugin := strings.TrimSuffix(strings.TrimPrefix(r.Path, "/connector-plugins/"), "/config/validate")
		got, err := p.Validate(t.Context(), plugin, config, validation.MemberOrder(r.Config))
		if r.Status != 200 {
			var want struct{ Message string }
			if err := json.Unmarshal([]byte(r.ResponseBody), &want); err != nil {
				t.Fatal(err)
			}
			switch {
			case err == nil:
				return "", "an answer, want " + want.Message
			case beforePlugins(err.Error()) != beforePlugins(want.Message):
				return err.Error(), "got " + err.Error() + "\nwant " + want.Message
			}
			return err.Error(), ""
		}
		if err != nil {
			return err.Error(), "no answer: " + err.Error()
		}
		var want configdef.Infos
		if err := json.Unmarshal([]byte(r.ResponseBody), &want); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		g, err1 := validation.Layout(text)
		w, err2 := validation.Layout([]byte(r.ResponseBody))
		if err1 != nil || err2 != nil || g != w {
			return "", "members in the order " + g + ", want " + w
		}
		return "", validation.Diff(want, got.(configdef.Infos))
	})
}

// beforePlugins cuts off a list of plugins, which has their places in the file system.
func beforePlugins(message string) string {
	before, _, _ := strings.Cut(message, "PluginDesc{")
	return before
}
