package data

import "testing"

// TestArenaGroups: a group ends with its bounds, and all of its chunks with it.
func TestArenaGroups(t *testing.T) {
	keys := NewMapKeys([]Value{OfString("k"), OfString("l")})
	for name, tc := range map[string]struct {
		text, maps int
		most       int // records in a group
	}{
		"small records":   {10, 1, groupRecords},
		"much text":       {groupText / 4, 1, 4},
		"longer than all": {2 * groupText, 1, 1},
		"many values":     {10, 40, groupValues / 80},
		"more than all":   {10, groupValues, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var a Arena
			var all []*MapValue
			group, longest := 0, 0
			for i := range 300 {
				a.Begin(tc.text)
				if a.records == 1 {
					group = 0
					if len(a.vals)+len(a.maps) > 0 {
						t.Fatalf("record %d begins a group with %d values and %d maps of another", i, len(a.vals), len(a.maps))
					}
				}
				group++
				longest = max(longest, group)
				for range tc.maps {
					vals := a.Values(2)
					if !vals[0].IsNull() || !vals[1].IsNull() || cap(vals) != 2 {
						t.Fatalf("record %d: not two nulls: %v", i, vals)
					}
					vals[0], vals[1] = OfInt64(int64(len(all))), OfInt64(-1)
					all = append(all, a.Map(keys, vals))
				}
			}
			if longest != tc.most {
				t.Errorf("a group of %d records, want %d", longest, tc.most)
			}
			for i, m := range all {
				if v, _ := m.Get("k"); m.Len() != 2 || v.Int() != int64(i) {
					t.Fatalf("map %d is %v", i, OfMap(m))
				}
			}
		})
	}
}

// TestArenaStructs: structs of any size are whole, and a long array is by itself.
func TestArenaStructs(t *testing.T) {
	var a Arena
	b := NewStructSchema()
	for i := range 2 * groupValues {
		b.Field("f"+OfInt32(int32(i)).String(), Int32Schema)
	}
	for _, s := range []*Schema{NewStructSchema().MustBuild(), NewStructSchema().Field("a", Int32Schema).MustBuild(), b.MustBuild()} {
		for range 100 {
			a.Begin(100)
			st, vals := a.Struct(s)
			if st.Schema() != s || len(st.Values()) != len(s.Fields()) || len(vals) != len(s.Fields()) {
				t.Fatalf("%d slots of %d", len(vals), len(s.Fields()))
			}
		}
	}
	a.Begin(1)
	if a.Values(ownValues); a.used.vals != 0 {
		t.Error("a long array is of the group")
	}
}

// TestCopyMap: a copy has its own values, and its own keys once one is added.
func TestCopyMap(t *testing.T) {
	for _, n := range []int{0, 1, mapScan, 3 * mapScan} {
		var b MapBuilder
		for i := range n {
			b.Put(OfString(OfInt32(int32(i)).String()), OfInt32(int32(i)))
		}
		m := b.Build()
		before := OfMap(m).String()
		c := CopyMap(m, 2)
		if n > 0 {
			c.PutString("0", OfInt32(100))
		}
		d := CopyMap(m, 0)
		for i := range 2 * mapScan {
			d.PutString("x"+OfInt32(int32(i)).String(), OfInt32(int32(i)))
		}
		changed, longer := c.Build(), d.Build()
		if OfMap(m).String() != before {
			t.Errorf("%s became %s", before, OfMap(m))
		}
		if v, ok := changed.Get("0"); n > 0 && (!ok || v.Int() != 100 || changed.Len() != n) {
			t.Errorf("the copy is %s", OfMap(changed))
		}
		if _, ok := longer.Get("x3"); !ok || longer.Len() != n+2*mapScan {
			t.Errorf("the longer copy is %s", OfMap(longer))
		}
		if _, ok := m.Get("x3"); ok {
			t.Error("the copy's keys are the map's")
		}
	}
}
