#!/usr/bin/env bash
# Format, vet, and golangci-lint and govulncheck where they can run.
set -euo pipefail
cd "$(dirname "$0")/.."

bad=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$bad" ]; then
  echo "these files are not formatted (run make fmt):" >&2
  echo "$bad" >&2
  exit 1
fi
go vet ./...
if command -v golangci-lint >/dev/null; then
  golangci-lint run ./...
else
  echo "golangci-lint is not installed: skipped (its set is in .golangci.yml)"
fi
if command -v govulncheck >/dev/null; then
  govulncheck ./... || echo "govulncheck could not run or found something: see above"
else
  echo "govulncheck is not installed: skipped"
fi
