package cluster

import (
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/assign"
	"github.com/troupeio/troupe/cluster/placement"
)

// kill has a killer's nodes die two times, each time so long after its start that it is
// not watched in between.
func (s *scene) kill(u assign.Unit, between func()) {
	for i := range 2 {
		s.now = s.now.Add(longestWatch + time.Second)
		s.die(s.log[u].Node)
		if i == 1 {
			between()
		}
		s.look()
	}
}

// TestQuarantineExplains: what was started again together with a killer is not held
// answerable for the death that tells who the killer is, and starts at once.
func TestQuarantineExplains(t *testing.T) {
	s := newScene(t, "a", "b", "c")
	s.connector("x", 6)
	s.look()
	s.now = s.now.Add(time.Hour)
	s.connector("killer", 1)
	s.look()
	u := task("killer", 0)
	s.kill(u, func() {})
	if s.state(u) != assign.Quarantined {
		t.Fatalf("%+v", s.log[u])
	}
	for o, e := range s.log {
		if o.Connector == "x" && (e.State != assign.Assigned || len(e.Deaths) != 0) {
			t.Errorf("%s: %+v", o, e)
		}
	}
}

// TestQuarantineEnds: a new configuration of the connector lets its task out once the
// task has one that was made from it, whether it came before the quarantine or after;
// other tasks of the same configuration do not.
func TestQuarantineEnds(t *testing.T) {
	u, instance := task("killer", 0), placement.Instance("killer")
	for name, row := range map[string]struct {
		before, after func(s *scene)
		want          string
	}{
		"nothing is new":             {nil, nil, assign.Quarantined},
		"only the connector's":       {nil, (*scene).config, assign.Quarantined},
		"both":                       {nil, func(s *scene) { s.config(); s.tasks() }, assign.Assigned},
		"the connector's was before": {(*scene).config, nil, assign.Quarantined},
		"only the task's is later":   {(*scene).config, (*scene).tasks, assign.Assigned},
		"tasks of the old one":       {nil, (*scene).tasks, assign.Quarantined},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "a", "b", "c")
			s.config()
			s.tasks()
			s.look()
			s.kill(u, func() {
				if row.before != nil {
					row.before(s)
				}
			})
			if s.state(u) != assign.Quarantined {
				t.Fatalf("%+v", s.log[u])
			}
			s.join("d")
			if row.after != nil {
				row.after(s)
			}
			s.look()
			if s.state(u) != row.want {
				t.Errorf("%+v; its connector: %+v", s.log[u], s.log[instance])
			}
		})
	}
}

// config gives the killer a configuration, and tasks one to its task.
func (s *scene) config() {
	s.t.Helper()
	if err := s.configs.PutConnector(s.t.Context(), "killer", map[string]string{"connector.class": "X"}, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) tasks() {
	s.t.Helper()
	if err := s.configs.PutTaskConfigs(s.t.Context(), "killer", []map[string]string{{}}); err != nil {
		s.t.Fatal(err)
	}
}
