package javaregex

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestAgainstJava replays patterns that were made at random, mixed from Java's
// constructs, with the answers of java.util.regex in Java 17. Waived by rule: \X,
// which is not supported.
func TestAgainstJava(t *testing.T) {
	f, err := os.Open("testdata/java17.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	rows, waived := 0, 0
	for in.Scan() {
		var row struct {
			Pattern, Text, Replacement string
			Matches, Find              bool
			Refused, Replaced, Fails   *string
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows++
		p, err := Compile(row.Pattern)
		if err != nil && strings.HasPrefix(err.Error(), `Unsupported here: the grapheme cluster \X`) {
			waived++
			continue
		}
		if row.Refused != nil {
			if err == nil || err.Error() != *row.Refused {
				t.Errorf("%q: got %v, want %s", row.Pattern, err, *row.Refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", row.Pattern, err)
			continue
		}
		if got, err := p.Match(row.Text); got != row.Matches || err != nil {
			t.Errorf("%q matches %q: got %v, %v", row.Pattern, row.Text, got, err)
		}
		if got := p.Find(row.Text); got != row.Find {
			t.Errorf("%q found in %q: got %v", row.Pattern, row.Text, got)
		}
		got, err := p.ReplaceFirst(row.Text, row.Replacement)
		switch {
		case row.Fails != nil:
			if err == nil || err.Error() != *row.Fails {
				t.Errorf("%q in %q by %q: got %q, %v; want %s", row.Pattern, row.Text, row.Replacement, got, err, *row.Fails)
			}
		case err != nil || got != *row.Replaced:
			t.Errorf("%q in %q by %q: got %q, %v; want %q", row.Pattern, row.Text, row.Replacement, got, err, *row.Replaced)
		}
	}
	if err := in.Err(); err != nil || rows == 0 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	t.Logf("%d rows, %d of them waived", rows, waived)
}
