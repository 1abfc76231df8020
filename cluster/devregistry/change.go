package devregistry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/troupeio/troupe/codec/registry/compat"
)

// change is what one request does to the registry; it is a line of the file.
type change struct {
	Do      action        `json:"do"`
	Subject string        `json:"subject,omitempty"` // none: the registry as a whole
	Version int           `json:"version,omitempty"` // of what is done to one
	ID      int           `json:"id,omitempty"`      // of a version that is registered
	Schema  *schema       `json:"schema,omitempty"`  // of a new id
	Value   string        `json:"value,omitempty"`   // a level, or a mode; no mode takes it away
	Policy  compat.Policy `json:"policy,omitempty"`
}

type action string

const (
	doRegister      action = "register"
	doDelete        action = "delete"
	doPurge         action = "purge" // delete permanently
	doDeleteSubject action = "delete-subject"
	doPurgeSubject  action = "purge-subject"
	doLevel         action = "compatibility" // what is not named stays
	doResetLevel    action = "reset-compatibility"
	doMode          action = "mode"
)

// apply makes a change, which was found to be allowed. The error is about a change
// that no registry can have written.
func (s *state) apply(c *change) error {
	sub := s.Subjects[c.Subject]
	switch {
	case sub != nil:
	case c.Subject != "":
		sub = &subject{}
		s.Subjects[c.Subject] = sub
	case c.Do != doLevel && c.Do != doResetLevel && c.Do != doMode:
		return fmt.Errorf("%q names no subject", c.Do)
	}
	switch c.Do {
	case doRegister:
		if c.Schema != nil {
			s.add(c.ID, c.Schema)
		}
		if s.Schemas[c.ID] == nil {
			return fmt.Errorf("there is no schema %d for a version of subject %q", c.ID, c.Subject)
		}
		sub.Versions = append(sub.Versions, &version{Number: c.Version, ID: c.ID})
	case doDelete, doPurge:
		v := s.find(c.Subject, c.Version, true)
		if v == nil {
			return fmt.Errorf("there is no version %d of subject %q to delete", c.Version, c.Subject)
		}
		v.Deleted = true
		if c.Do == doPurge {
			sub.Versions = slices.DeleteFunc(sub.Versions, func(o *version) bool { return o == v })
		}
	case doDeleteSubject:
		for _, v := range sub.Versions {
			v.Deleted = true
		}
		sub.Level, sub.Policy, sub.Mode = "", "", ""
	case doPurgeSubject:
		delete(s.Subjects, c.Subject)
	case doLevel, doResetLevel, doMode:
		level, policy, mode, fresh := &s.Level, &s.Policy, &s.Mode, newState()
		if sub != nil {
			level, policy, mode, fresh = &sub.Level, &sub.Policy, &sub.Mode, &state{}
		}
		switch c.Do {
		case doMode:
			*mode = cmp.Or(c.Value, fresh.Mode)
		case doResetLevel:
			*level, *policy = fresh.Level, ""
		default:
			*level, *policy = cmp.Or(c.Value, *level), cmp.Or(c.Policy, *policy)
		}
	default:
		return fmt.Errorf("%q is no change that this version knows", c.Do)
	}
	return nil
}
