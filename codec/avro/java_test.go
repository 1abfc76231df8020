package avro

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/troupeio/troupe/internal/kafkatest"
)

var record = flag.Bool("record", false, "write testdata/avrodata.jsonl anew from what AvroData says (with -rapid.checks=3000)")

// TestAgainstAvroData maps drawn schemas and values with a fork of Confluent's
// AvroData in a JVM, and compares all that comes out: the Avro schema's text, the
// bytes, and what both are read as. -rapid.checks=6000 widens it.
func TestAgainstAvroData(t *testing.T) {
	vs := slices.Clone(byHand)
	n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		vs = append(vs, drawConnect.Example(i), drawAvro.Example(i))
	}
	askAvroData(t, vs)
	same, reasons := 0, map[string]int{}
	for _, v := range vs {
		ds := compare(t, v.ours(), v.Answer)
		if len(ds) == 0 {
			same++
			continue
		}
		for _, d := range ds {
			why := reason(v, d)
			if v.Differs = why; why != "" {
				reasons[why]++
				continue
			}
			in := *v
			in.Answer = nil
			t.Errorf("%s differs for %s\nTroupe has   %s\nAvroData has %s", d.where, jsonText(t, in), d.ours, d.theirs)
		}
	}
	for why, n := range reasons {
		t.Logf("%d times: %s", n, why)
	}
	t.Logf("%d of %d are the same", same, len(vs))
	if same*10 < len(vs)*9 {
		t.Error("these are fewer than nine of ten: what is compared then?")
	}
	if *record && !t.Failed() {
		writeVectors(t, vs)
	}
}

// askAvroData gives vectors their answers.
func askAvroData(t *testing.T, vs []*vector) {
	t.Helper()
	dist, err := kafkatest.Fetch(t.Context())
	var jars []string
	if err == nil {
		jars, err = kafkatest.FetchAvroData(t.Context())
	}
	dir := t.TempDir()
	if err == nil {
		err = dist.Compile(t.Context(), dir, jars, filepath.Join("testdata", "AvroOracle.java"),
			filepath.Join("..", "..", "internal", "golden", "java", "Vectors.java"))
	}
	if errors.Is(err, kafkatest.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var in, complaints bytes.Buffer
	for _, v := range vs {
		in.WriteString(jsonText(t, v))
		in.WriteByte('\n')
	}
	cp := strings.Join(append([]string{dir, dist.ClassPath()}, jars...), string(os.PathListSeparator))
	cmd := exec.CommandContext(t.Context(), dist.Java, "-Xss4m", "-cp", cp, "AvroOracle")
	cmd.Stdin, cmd.Stderr = &in, &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("AvroOracle: %v\n%s", err, complaints.Bytes())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	i := 0
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), []byte("{")) {
			continue // a logger's
		}
		if i == len(vs) {
			t.Fatal("AvroOracle has more answers than there were questions")
		}
		vs[i].Answer = &answer{}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(vs[i].Answer); err != nil {
			t.Fatalf("%v in %s", err, lines.Bytes())
		}
		i++
	}
	if err := lines.Err(); err != nil || i < len(vs) {
		t.Fatalf("AvroOracle answered %d of %d: %v", i, len(vs), err)
	}
}

// Of what was drawn this much is kept: the shortest that bring together two things
// which no shorter one has together.
const (
	vectorsKept  = 200
	differsKept  = 2 // of each reason
	vectorLength = 2500
)

var things = regexp.MustCompile(`"(?:type|logicalType|cycle|default|doc|version|namespace|aliases|order|symbols|error|t)\\?":(?:\\?"[A-Za-z0-9-]+)?|connect\.[a-z.]+|Enum|Union|optional":true|\.support|\.names|\.keys|\.nullables|\.data|org\.apache[A-Za-z.]+`)

func writeVectors(t *testing.T, vs []*vector) {
	slices.SortStableFunc(vs, func(a, b *vector) int { return cmp.Compare(len(jsonText(t, a)), len(jsonText(t, b))) })
	var out bytes.Buffer
	seen, differ, kept := map[string]bool{}, map[string]int{}, 0
	for _, v := range vs {
		line := jsonText(t, v)
		var has []string
		for _, thing := range things.FindAllString(line, -1) {
			if !slices.Contains(has, thing) {
				has = append(has, thing)
			}
		}
		fresh := 0
		for i, a := range has {
			for _, b := range has[:i] {
				if pair := min(a, b) + " " + max(a, b); !seen[pair] {
					fresh++
				}
			}
		}
		switch {
		case len(line) > vectorLength && v.Differs == "":
			continue
		case v.ID != "":
		case v.Differs != "":
			if differ[v.Differs]++; differ[v.Differs] > differsKept {
				continue
			}
		case fresh < 3 || kept >= vectorsKept:
			continue
		}
		for i, a := range has {
			for _, b := range has[:i] {
				seen[min(a, b)+" "+max(a, b)] = true
			}
		}
		kept++
		if v.ID == "" {
			v.ID = fmt.Sprintf("drawn/%d", kept)
		}
		out.WriteString(jsonText(t, v))
		out.WriteByte('\n')
	}
	if err := os.WriteFile(filepath.Join("testdata", "avrodata.jsonl"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d vectors are written", kept)
}
