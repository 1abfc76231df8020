package worker

import "github.com/troupeio/troupe/connectors"

// Report asks a worker what is still here, running or on its way out. Reply's capacity
// must be 1. What was applied before is seen in the answer.
type Report struct{ Reply chan<- Held }

// Held is what runs or has not ended yet.
type Held struct {
	Connectors map[string]bool
	Tasks      map[connectors.TaskID]bool
}

func (w *Worker) report() Held {
	h := Held{Connectors: make(map[string]bool, len(w.connectors)), Tasks: make(map[connectors.TaskID]bool, len(w.tasks))}
	for name := range w.connectors {
		h.Connectors[name] = true
	}
	for id := range w.tasks {
		h.Tasks[id] = true
	}
	for p := range w.leaving {
		if p.Task < 0 {
			h.Connectors[p.Connector] = true
		} else {
			h.Tasks[connectors.TaskID(p)] = true
		}
	}
	return h
}
