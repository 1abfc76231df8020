package membership_test

import (
	"testing"
	"time"

	"github.com/troupeio/troupe/cluster/clustertest"
)

// TestAnswers: a life that is there answers; another life at its address, and one that
// is cut off, do not.
func TestAnswers(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.several(3)
		name := n[1].Meta().Node
		if !n[0].Answers(name, "b2", n[1].Addr()) {
			t.Error("a node that is there does not answer")
		}
		if n[0].Answers(name, "b9", n[1].Addr()) {
			t.Error("a node answers for another life")
		}
		w.hub.Isolate(n[1].Addr())
		if n[0].Answers(name, "b2", n[1].Addr()) {
			t.Error("a node that is cut off answers")
		}
		w.hub.HealAll()
	})
}

// TestHearsay: one of five nodes is not heard for a while, and so loses the others.
// When it is heard again it has them told dead. Whoever is lost by that answers.
func TestHearsay(t *testing.T) {
	lost := 0
	for range 10 {
		bubble(t, func(w *world) {
			n := w.several(5)
			mute := n[4]
			set := func(cut bool) {
				for _, o := range n[:4] {
					w.hub.Set(mute.Addr(), o.Addr(), clustertest.Link{Cut: cut})
				}
			}
			set(true)
			w.sleep(4 * time.Second)
			set(false)
			for range 500 {
				w.sleep(2 * time.Millisecond)
				for i, boot := range []string{"b1", "b2", "b3", "b4"} {
					for j, by := range n[:4] {
						if i == j || by.Sees(boot) {
							continue
						}
						lost++
						if !by.Answers(n[i].Meta().Node, boot, n[i].Addr()) {
							t.Errorf("%s was lost and does not answer", boot)
						}
					}
				}
			}
		})
	}
	t.Logf("a node was lost to another one in %d looks", lost)
	if lost == 0 {
		t.Error("nobody was lost by hearsay, so that nothing was tried")
	}
}
