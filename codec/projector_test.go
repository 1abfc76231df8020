package codec

import (
	"testing"

	"github.com/troupeio/troupe/codec/data"
)

// A number that is not of its schema's type becomes one as Java's Number makes it.
func TestProjectWrongNumber(t *testing.T) {
	for name, tc := range map[string]struct {
		s         *data.Schema
		v, expect data.Value
	}{
		"int as byte":       {data.Int8Schema, data.OfInt32(1000), data.OfInt8(-24)},
		"float as int":      {data.Int32Schema, data.OfFloat32(3e38), data.OfInt32(2147483647)},
		"float as byte":     {data.Int8Schema, data.OfFloat64(3e9), data.OfInt8(-1)},
		"decimal as date":   {data.DateSchema, data.OfDecimal(data.NewDecimal(256, -2)), data.OfInt32(25600)},
		"text stays":        {data.Int8Schema, data.OfString("x"), data.OfString("x")},
		"date stays":        {data.DateSchema, data.OfDate(86_400_000), data.OfDate(86_400_000)},
		"what is no number": {data.StringSchema, data.OfInt8(1), data.OfInt8(1)},
		"decimals stay":     {data.NewDecimalSchema(2).MustBuild(), data.OfDecimal(data.NewDecimal(5, 0)), data.OfDecimal(data.NewDecimal(5, 0))},
	} {
		got, err := Project(tc.s, tc.v, tc.s)
		if err != nil || got.Kind() != tc.expect.Kind() || !got.Equal(tc.expect) {
			t.Errorf("%s: got %s %v, %v; want %s %v", name, got.Kind().JavaClass(), got, err, tc.expect.Kind().JavaClass(), tc.expect)
		}
	}
}
