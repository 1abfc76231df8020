#!/usr/bin/env bash
# The whole suite: what needs Apache Kafka runs when Java and Maven are there, on
# one broker that is started here and stopped at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp -d)
broker_pid=
finish() {
  if [ -n "$broker_pid" ]; then
    kill "$broker_pid" 2>/dev/null || true
    wait "$broker_pid" 2>/dev/null || true
  fi
  rm -rf "$log"
}
trap finish EXIT

missing=
for tool in java mvn; do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -z "$missing" ] && [ -z "${TROUPE_TEST_KAFKA:-}" ]; then
  scripts/fetch-kafka.sh
  scripts/fetch-kafka.sh --avrodata || echo "The tests that compare with AvroData itself are skipped, each by name." >&2
  go build -o "$log/kafka" ./internal/kafkatest/cmd/kafka
  # The broker lives as long as its standard input is open.
  mkfifo "$log/in"
  "$log/kafka" <"$log/in" >"$log/addr" 2>"$log/err" &
  broker_pid=$!
  exec 9>"$log/in"
  for _ in $(seq 1 600); do
    [ -s "$log/addr" ] && break
    kill -0 "$broker_pid" 2>/dev/null || { cat "$log/err" >&2; echo "Apache Kafka did not start" >&2; exit 1; }
    sleep 0.1
  done
  TROUPE_TEST_KAFKA=$(head -n1 "$log/addr")
  export TROUPE_TEST_KAFKA
  echo "Apache Kafka for the tests: $TROUPE_TEST_KAFKA"
fi

status=0
go test -timeout 20m -p 2 "$@" ./... || status=$?

# The race detector where goroutines meet.
if [ $status -eq 0 ] && [ "${TROUPE_TEST_RACE:-1}" = 1 ]; then
  go test -race -timeout 20m -p 2 ./actors/... ./cluster/... ./restapi/... || status=$?
fi

if [ -n "$missing" ]; then
  echo "Not on this machine:$missing. The tests that need Apache Kafka were skipped, each by name."
fi
exit $status
