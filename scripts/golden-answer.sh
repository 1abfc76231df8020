#!/usr/bin/env bash
# Compiles one of the programs in internal/golden/java and runs it with Kafka Connect's classes:
#
#   scripts/golden-answer.sh CLASS STACK [argument ...] < rows
#
# STACK is the size of its stack, such as 4m. Needs a JDK, and Maven the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
class=$1 stack=$2
shift 2

scripts/fetch-kafka.sh >/dev/null
libs=$(printf '%s:' "$(scripts/fetch-kafka.sh --print-dir)"/libs/*.jar)
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
java -m jdk.compiler/com.sun.tools.javac.Main -nowarn -d "$classes" -cp "$libs" \
	internal/golden/java/Vectors.java "internal/golden/java/$class.java" 2> >(grep -v '^Note' >&2)
java "-Xss$stack" -cp "$classes:$libs" "$class" "$@" 2> >(grep -v '^SLF4J' >&2)
