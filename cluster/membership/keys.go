package membership

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

func checkKeys(keys [][]byte) error {
	for i, k := range keys {
		if memberlist.ValidateKey(k) != nil {
			return fmt.Errorf("gossip.secret.keys: key %d of %d has %d bytes, and must have 16, 24 or 32", i+1, len(keys), len(k))
		}
	}
	return nil
}

// rotate makes ring hold exactly keys, with the first as the one that encrypts. To
// take out any but the last key, memberlist moves the others within a slice that
// its packet loop may be reading; so keys are only ever taken from the end, and
// those that stay are put back. While that lasts, some microseconds, a packet under
// an old key can be lost, as any packet can.
func rotate(ring *memberlist.Keyring, keys [][]byte) error {
	if len(keys) == 0 && len(ring.GetKeys()) > 0 {
		return errors.New("gossip.secret.keys: encryption can't be switched off while the node runs")
	}
	if err := checkKeys(keys); err != nil {
		return err
	}
	if len(keys) == 0 {
		return nil
	}
	add := func() error {
		for _, k := range keys {
			if err := ring.AddKey(slices.Clone(k)); err != nil {
				return fmt.Errorf("gossip.secret.keys: adding a key: %w", err)
			}
		}
		return nil
	}
	if err := add(); err != nil {
		return err
	}
	if err := ring.UseKey(keys[0]); err != nil {
		return fmt.Errorf("gossip.secret.keys: using the first key: %w", err)
	}
	unwanted := func(k []byte) bool {
		return !slices.ContainsFunc(keys, func(w []byte) bool { return slices.Equal(w, k) })
	}
	have := slices.Clone(ring.GetKeys())
	first := slices.IndexFunc(have, unwanted)
	if first < 0 {
		return nil
	}
	for i := len(have) - 1; i >= first; i-- {
		if err := ring.RemoveKey(have[i]); err != nil {
			return fmt.Errorf("gossip.secret.keys: removing a key: %w", err)
		}
	}
	return add()
}
