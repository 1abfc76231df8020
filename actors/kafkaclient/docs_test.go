package kafkaclient

import (
	"bytes"
	"os"
	"testing"
)

const docsPage = "../../docs/kafka-clients.md"

// TestDocs holds the committed page to the table. TROUPE_WRITE_DOCS=1 rewrites the
// page.
func TestDocs(t *testing.T) {
	var page bytes.Buffer
	if err := WriteDocs(&page); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("TROUPE_WRITE_DOCS") == "1" {
		if err := os.WriteFile(docsPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page.Bytes()) {
		t.Error("docs/kafka-clients.md is not what the table gives; `make docs` rewrites it")
	}
}
