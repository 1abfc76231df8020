package properties

import (
	"encoding/base64"
	"errors"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestAgainstJava gives the table and some thousand random texts to
// java.util.Properties and compares.
func TestAgainstJava(t *testing.T) {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not on the PATH")
	}
	var texts []string
	for _, row := range rows {
		texts = append(texts, row.text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"\\", "\\", "\n", "\r", "\r\n", " ", "\t", "\f", "=", ":", "#", "!", "a", "b", "u", "n", "\\u0041", "\\ud83d\\ude00", "ä", "😀", "0"}
	for range 5000 {
		var b strings.Builder
		for range random.IntN(14) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, b.String())
	}

	var in strings.Builder
	for _, text := range texts {
		in.WriteString(base64.StdEncoding.EncodeToString([]byte(text)) + "\n")
	}
	cmd := exec.CommandContext(t.Context(), java, "testdata/LoadProperties.java")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("java cannot run a source file: %v", err)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(texts) {
		t.Fatalf("%d answers to %d texts", len(answers), len(texts))
	}
	for i, text := range texts {
		if got := asJava(text); got != answers[i] {
			t.Errorf("%q: got %s, Java %s", text, got, answers[i])
		}
	}
}

// asJava parses text and prints it as the Java program does.
func asJava(text string) string {
	p, err := Parse(strings.NewReader(text))
	if err != nil {
		var syntax *SyntaxError
		if errors.As(err, &syntax) {
			return syntax.Msg
		}
		return err.Error()
	}
	enc := base64.StdEncoding.EncodeToString
	encoded := map[string]string{}
	for _, e := range p.Entries() {
		encoded[enc([]byte(e.Key))] = enc([]byte(e.Value))
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(encoded)) {
		pairs = append(pairs, key+":"+encoded[key])
	}
	return strings.Join(pairs, " ")
}
