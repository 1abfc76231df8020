#!/usr/bin/env bash
# Answers rows of the form of json_converter.jsonl, primitive_converters.jsonl, simple_header_converter.jsonl and
# schema_projector.jsonl (testdata/golden) by Kafka Connect's own classes:
#
#   scripts/golden-converters.sh < rows > answers    a row needs its inputs
#   scripts/golden-converters.sh --check             are the rows in testdata/golden what Kafka Connect gives?
#
# Needs a JDK, and Maven the first time. The rows are Java 17's: another version has other texts of floats.
set -euo pipefail
cd "$(dirname "$0")/.."

answer() {
	scripts/golden-answer.sh Converters 8m "$@"
}
if [ "${1:-}" != "--check" ]; then
	answer
	exit
fi
cd testdata/golden
files=(json_converter*.jsonl primitive_converters*.jsonl simple_header_converter*.jsonl schema_projector*.jsonl)
cat "${files[@]}" | (cd ../.. && answer --check)
echo "${files[*]} are what Kafka Connect gives"
