package kafkaclient

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/kafka-clients.md from the table")

const docsPage = "../../docs/kafka-clients.md"

// TestDocs holds the committed page to the table. Run it with -update to rewrite the
// page.
func TestDocs(t *testing.T) {
	var page bytes.Buffer
	if err := WriteDocs(&page); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(docsPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page.Bytes()) {
		t.Error("docs/kafka-clients.md is not what the table gives; run: go test ./actors/kafkaclient -run TestDocs -update")
	}
}
