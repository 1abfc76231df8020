#!/usr/bin/env bash
# Answers rows of the form of testdata/golden/smt.jsonl by Kafka Connect's own classes:
#
#   scripts/golden-smt.sh < rows > answers    a row needs id, class, config and input
#   scripts/golden-smt.sh --check             are the rows in testdata/golden what Kafka Connect gives?
#
# Needs a JDK, and Maven the first time. The rows are Java 17's: another version has other
# texts of floats and of wrong patterns, and other Unicode tables.
set -euo pipefail
cd "$(dirname "$0")/.."

answer() {
	scripts/golden-answer.sh Smt 4m
}
if [ "${1:-}" != "--check" ]; then
	answer
	exit
fi
for file in testdata/golden/smt*.jsonl; do
	answer <"$file" | diff -q - "$file" >/dev/null || { echo "$file differs" >&2; exit 1; }
	echo "$file is what Kafka Connect gives"
done
