#!/usr/bin/env bash
# Fetches Apache Kafka's broker, Connect worker and file connectors as jars,
# through Maven, for the tests and the benchmark. Idempotent: once the marker
# file is there nothing is fetched. Safe when several processes run it at once.
#
# The result:
#   <cache>/kafka-<version>/libs/*.jar               class path of broker and worker
#   <cache>/kafka-<version>/plugins/connect-file/    for plugin.path, as Kafka ships it
#   <cache>/kafka-<version>/.complete                marker, written last
#
# With --avrodata it is Apicurio's fork of Confluent's AvroData instead, with Avro,
# to stand beside Kafka's jars on a class path: Confluent's own is not on Maven Central.
#   <cache>/avrodata-<version>/libs/*.jar
#
# TROUPE_CACHE moves the cache. With --print-dir only the directory is printed.
set -euo pipefail

kafka_version=4.1.0
scala_version=2.13
log4j_version=2.24.3             # what Kafka 4.1.0 is built with
dependency_plugin_version=3.8.1
avrodata_version=2.6.13.Final
avro_version=1.12.1

what="Apache Kafka $kafka_version" name="kafka-$kafka_version"
if [ "${1:-}" = "--avrodata" ]; then
	what="AvroData $avrodata_version" name="avrodata-$avrodata_version"
	shift
fi
cache="${TROUPE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe}"
dest="$cache/$name"

if [ "${1:-}" = "--print-dir" ]; then
	echo "$dest"
	exit 0
fi
if [ -e "$dest/.complete" ]; then
	echo "$what is in $dest"
	exit 0
fi
if ! command -v mvn >/dev/null; then
	echo "fetching $what: no mvn on PATH" >&2
	exit 1
fi

mkdir -p "$cache"
# The lock saves a second download. Where flock is missing the rename at the end
# still keeps the result whole: the one who comes second drops its copy.
if command -v flock >/dev/null; then
	exec 9>"$cache/$name.lock"
	flock 9
	if [ -e "$dest/.complete" ]; then
		echo "$what is in $dest"
		exit 0
	fi
fi

echo "Fetching $what through Maven into $dest"
tmp="$(mktemp -d "$cache/$name.tmp.XXXXXX")"
trap 'rm -rf "$tmp"' EXIT

dependency() {
	printf '    <dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n' "$1" "$2" "$3"
}
{
	cat <<-'POM'
		<project>
		  <modelVersion>4.0.0</modelVersion>
		  <groupId>troupe.test</groupId>
		  <artifactId>kafka</artifactId>
		  <version>1</version>
		  <packaging>pom</packaging>
		  <dependencies>
	POM
	if [ "$name" = "kafka-$kafka_version" ]; then
		dependency org.apache.kafka "kafka_$scala_version" "$kafka_version"
		for artifact in connect-runtime connect-file connect-json connect-api connect-transforms connect-basic-auth-extension; do
			dependency org.apache.kafka "$artifact" "$kafka_version"
		done
		dependency org.apache.logging.log4j log4j-slf4j-impl "$log4j_version"
	else
		dependency io.apicurio apicurio-registry-utils-converter "$avrodata_version"
		dependency io.apicurio apicurio-registry-serdes-avro-serde "$avrodata_version"
		dependency org.apache.avro avro "$avro_version"
	fi
	echo '  </dependencies>'
	echo '</project>'
} >"$tmp/pom.xml"

# What AvroData needs besides is among Kafka's jars.
transitive=()
if [ "$name" != "kafka-$kafka_version" ]; then
	transitive=(-DexcludeTransitive)
fi
# Maven's own output goes to a file: -q still prints colour codes.
if ! mvn -q -B -f "$tmp/pom.xml" \
	"org.apache.maven.plugins:maven-dependency-plugin:$dependency_plugin_version:copy-dependencies" \
	-DincludeScope=runtime ${transitive[@]+"${transitive[@]}"} "-DoutputDirectory=$tmp/libs" >"$tmp/mvn.log" 2>&1 </dev/null 9>&-; then
	echo "fetching $what: mvn ended with an error:" >&2
	tail -n 20 "$tmp/mvn.log" >&2
	exit 1
fi

if [ "$name" = "kafka-$kafka_version" ]; then
	# Since Kafka 3.1.1 the file connectors are not on the class path.
	mkdir -p "$tmp/plugins/connect-file"
	mv "$tmp/libs/connect-file-$kafka_version.jar" "$tmp/plugins/connect-file/"
fi
rm -f "$tmp/mvn.log"
touch "$tmp/.complete"
chmod 755 "$tmp"

if [ -e "$dest" ] && [ ! -e "$dest/.complete" ]; then
	rm -rf "$dest" # left by something other than this script
fi
if ! mv -T "$tmp" "$dest" 2>/dev/null && [ ! -e "$dest/.complete" ]; then
	mv "$tmp" "$dest" # a mv without -T
fi
