package javatext

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

type dateCase struct {
	pattern string
	ms      int64
	text    string
}

// randomDates makes up patterns, instants, and texts that are near to what the
// pattern writes.
func randomDates(n int) []dateCase {
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"yyyy", "yy", "y", "MM", "M", "MMM", "MMMM", "dd", "d", "HH", "H", "hh", "h", "kk", "K", "mm", "m", "ss", "s", "SSS", "S",
		"a", "E", "EEEE", "D", "DDD", "F", "w", "ww", "W", "u", "Y", "YYYY", "G", "GGGG", "Z", "X", "XX", "XXX", "L", "LLL", "z",
		"-", "-", "/", ":", " ", " ", "'T'", ".", "''", "'at'", ",", "é"}
	edits := []string{"0", "9", " ", "-", "x", "1", "٣", "12", "Z", "+01:30", "PM", "feb"}
	out := make([]dateCase, 0, n)
	for range n {
		var b strings.Builder
		for range 1 + random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		c := dateCase{pattern: b.String()}
		switch random.IntN(4) {
		case 0: // about the change of calendars, and before our era
			c.ms = -12219292800000 + random.Int64N(400*msPerDay) - 200*msPerDay
		case 1:
			c.ms = -62135596800000 + random.Int64N(800*msPerDay) - 400*msPerDay
		default:
			c.ms = random.Int64N(4_000_000_000_000) - 1_000_000_000_000
		}
		if strings.Contains(c.pattern, "Y") {
			c.pattern = strings.NewReplacer("y", "s", "G", "a").Replace(c.pattern)
			c.ms = max(c.ms, -62000000000000)
		}
		if f, err := NewSimpleDateFormat(c.pattern); err == nil {
			c.text = f.Format(c.ms)
		}
		for range random.IntN(3) {
			if strings.Contains(c.pattern, "z") {
				break
			}
			at := random.IntN(len(c.text) + 1)
			for at < len(c.text) && c.text[at]&0xc0 == 0x80 {
				at++
			}
			c.text = c.text[:at] + edits[random.IntN(len(edits))] + c.text[at:]
		}
		out = append(out, c)
	}
	return out
}

// TestSimpleDateFormatAgainstJava compares with java.text.SimpleDateFormat, where
// the machine has a Java.
func TestSimpleDateFormatAgainstJava(t *testing.T) {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not on the PATH")
	}
	cases := randomDates(3000)
	for _, p := range []string{"b", "yyyy'x", "XXXX", "", "foo", "'", "''", "yyyyMMdd", "yyMMddHHmmssSSS", "Yww", "YYYY-ww-u", "FEEEMM", "WEEEMM yyyy"} {
		cases = append(cases, dateCase{p, 1483425001864, "20170103"}, dateCase{p, -1, "2017-01-3 Tue"}, dateCase{p, 0, "-1Tue02 2017"})
	}
	enc := base64.StdEncoding.EncodeToString
	var in strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&in, "%s,%d,%s\n", enc([]byte(c.pattern)), c.ms, enc([]byte(c.text)))
	}
	cmd := exec.CommandContext(t.Context(), java, "testdata/SimpleDates.java")
	cmd.Stdin = strings.NewReader(in.String())
	raw, err := cmd.Output()
	if err != nil {
		t.Skipf("java cannot run a source file: %v", err)
	}
	answers := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d questions", len(answers), len(cases))
	}
	for i, c := range cases {
		f, err := NewSimpleDateFormat(c.pattern)
		if err != nil {
			if err.Error() != answers[i] {
				t.Errorf("%q: got error %q, Java %q", c.pattern, err, answers[i])
			}
			continue
		}
		parsed, huge := "none", false
		if ms, ok := f.Parse(c.text); ok {
			parsed = fmt.Sprint(ms)
			huge = ms > 1e17 || ms < -1e17 // some three million years: Java's integers overflow
		}
		formatted, javaParsed, _ := strings.Cut(answers[i], " ")
		want, _ := base64.StdEncoding.DecodeString(formatted)
		if got := f.Format(c.ms); got != string(want) {
			t.Errorf("%q formats %d as %q, Java %q", c.pattern, c.ms, got, want)
		}
		if parsed != javaParsed && !huge {
			t.Errorf("%q reads %q as %s, Java %s", c.pattern, c.text, parsed, javaParsed)
		}
	}
}
