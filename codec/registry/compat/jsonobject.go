package compat

import (
	"fmt"
	"maps"
	"slices"
)

// closed reports that nothing in addition is allowed, open that anything is. What
// allows some, by a schema or by patterns of names, is partially open.
func (n *jsonNode) closed() bool {
	return n.additional != nil && n.additional.kind == "nothing"
}

func (n *jsonNode) open() bool { return n.additional == nil && len(n.patterns) == 0 }

// covering is the schema of a partially open model for a name, nil if it has none.
func (n *jsonNode) covering(name string) *jsonNode {
	for _, p := range n.patterns {
		if p.pattern.Find(name) {
			return p.schema
		}
	}
	if n.closed() {
		return nil
	}
	return n.additional
}

func (c *jsonCheck) object(r, w *jsonNode, path string) {
	required, needed := stringsOf(r.has["required"]), stringsOf(w.has["required"])
	names := slices.Sorted(maps.Keys(r.properties))
	for name := range w.properties {
		if r.properties[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		ours, theirs := r.properties[name], w.properties[name]
		if ours != nil && theirs != nil && slices.Contains(required, name) && !slices.Contains(needed, name) && !ours.defaulted() {
			c.say("REQUIRED_ATTRIBUTE_ADDED", keywordAdded, below(path, "required", name))
		}
	}
	for _, name := range names {
		at := below(path, "properties", name)
		switch ours, theirs := r.properties[name], w.properties[name]; {
		case theirs == nil:
			c.added(w, ours, w.covering(name), "PROPERTY", at)
			if !w.open() && slices.Contains(required, name) && !ours.defaulted() {
				c.say("REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", requiredAdded, at)
			}
		case ours == nil:
			c.removed(r, theirs, r.covering(name), "PROPERTY", at)
		default:
			c.compare(ours, theirs, at)
		}
	}
	c.depends(r, w, below(path, "dependencies"))
	c.additionally(r, w, "ADDITIONAL_PROPERTIES", below(path, "additionalProperties"))
	c.bound(r, w, path, "maxProperties", "MAX_PROPERTIES", false)
	c.bound(r, w, path, "minProperties", "MIN_PROPERTIES", true)
}

// added is about what the reader names and the writer does not: the writer may have
// written anything there, or what its model covers.
func (c *jsonCheck) added(w, ours, covering *jsonNode, what, path string) {
	switch {
	case w.open():
		if ours.kind != "anything" {
			c.say(what+"_ADDED_TO_OPEN_CONTENT_MODEL", addedToOpen, path)
		}
	case covering != nil && !c.tell(ours, covering, path):
		c.say(what+"_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", addedUncovered, path)
	}
}

// removed is about what the writer names and the reader does not.
func (c *jsonCheck) removed(r, theirs, covering *jsonNode, what, path string) {
	switch {
	case r.open():
	case covering != nil:
		if !c.tell(covering, theirs, path) {
			c.say(what+"_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", removedUncovered, path)
		}
	case theirs.kind != "nothing":
		c.say(what+"_REMOVED_FROM_CLOSED_CONTENT_MODEL", removedFromClosed, path)
	}
}

// tell compares, keeps what it finds, and reports whether that is nothing.
func (c *jsonCheck) tell(r, w *jsonNode, path string) bool {
	before := len(c.problems)
	c.compare(r, w, path)
	return len(c.problems) == before
}

func (c *jsonCheck) additionally(r, w *jsonNode, kind, path string) {
	switch {
	case r.closed() && !w.closed():
		c.say(kind+"_REMOVED", keywordAdded, path)
	case r.closed() || w.closed() || r.additional == nil:
	case w.additional == nil:
		c.say(kind+"_NARROWED", fewer, path)
	default:
		c.compare(r.additional, w.additional, path)
	}
}

func (c *jsonCheck) depends(r, w *jsonNode, path string) {
	ours, _ := r.has["dependencies"].(map[string]any)
	theirs, _ := w.has["dependencies"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		at := below(path, name)
		list, isList := ours[name].([]any)
		old, wasList := theirs[name].([]any)
		now, before := r.dependencies[name], w.dependencies[name]
		switch {
		case isList && !wasList:
			c.say("DEPENDENCY_ARRAY_ADDED", keywordAdded, at)
		case !isList && before == nil:
			c.say("DEPENDENCY_SCHEMA_ADDED", keywordAdded, at)
		case !isList:
			c.compare(now, before, at)
		default:
			needs, needed := stringsOf(list), stringsOf(old)
			within := func(all, some []string) bool {
				return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
			}
			switch {
			case within(needed, needs):
			case within(needs, needed):
				c.say("DEPENDENCY_ARRAY_EXTENDED", more, at)
			default:
				c.say("DEPENDENCY_ARRAY_CHANGED", valueOther, at)
			}
		}
	}
}

func (c *jsonCheck) array(r, w *jsonNode, path string) {
	switch {
	case r.items != nil && w.items != nil:
		c.compare(r.items, w.items, below(path, "items"))
	case r.items != nil && r.items.kind != "anything" && len(w.tuple) == 0:
		c.say("SCHEMA_ADDED", otherType, below(path, "items"))
	}
	for i := range max(len(r.tuple), len(w.tuple)) {
		at := below(path, "items", fmt.Sprint(i))
		switch {
		case i >= len(w.tuple):
			c.added(w, r.tuple[i], w.covering(""), "ITEM", at)
		case i >= len(r.tuple):
			c.removed(r, w.tuple[i], r.covering(""), "ITEM", at)
		default:
			c.compare(r.tuple[i], w.tuple[i], at)
		}
	}
	c.additionally(r, w, "ADDITIONAL_ITEMS", below(path, "additionalItems"))
	c.bound(r, w, path, "maxItems", "MAX_ITEMS", false)
	c.bound(r, w, path, "minItems", "MIN_ITEMS", true)
	if r.has["uniqueItems"] == true && w.has["uniqueItems"] != true {
		c.say("UNIQUE_ITEMS_ADDED", keywordAdded, below(path, "uniqueItems"))
	}
}
