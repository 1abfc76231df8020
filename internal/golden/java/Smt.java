import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Answers rows of the form of testdata/golden/smt.jsonl by Kafka Connect's own classes: reads a row a line, takes its
 * id, class, config and input, and prints the row with what came out. See scripts/golden-smt.sh.
 */
public class Smt {
    static final ObjectMapper MAPPER = new ObjectMapper();
    static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    static final Vectors VECTORS = new Vectors();

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Locale.setDefault(Locale.US);
        VECTORS.hashMaps = true;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.isBlank()) {
                continue;
            }
            JsonNode row = MAPPER.readTree(line);
            try {
                out.println(MAPPER.writeValueAsString(answer(row)));
            } catch (DataException e) {
                System.err.println(row.get("id").asText() + " cannot be asked: " + e.getMessage());
            }
        }
        out.flush();
    }

    static ObjectNode answer(JsonNode row) throws Exception {
        ObjectNode out = NODES.objectNode();
        for (String name : List.of("id", "class", "config", "input")) {
            out.set(name, row.get(name));
        }
        ConnectRecord<?> input = null;
        if (!row.get("input").isNull()) {
            VECTORS.buffers = row.get("id").asText().contains("bytebuffer");
            input = record(row.get("input"));
            out.set("input", record(input)); // with its maps in the order in which they are iterated
        }
        Object it = Class.forName(row.get("class").asText()).getDeclaredConstructor().newInstance();
        Map<String, String> config = new HashMap<>();
        row.get("config").fields().forEachRemaining(e -> config.put(e.getKey(), text(e.getValue())));
        String phase = "configure";
        try {
            if (it instanceof Predicate) {
                out.putNull("output");
                test((Predicate<?>) it, config, input, out);
            } else {
                Transformation<?> t = (Transformation<?>) it;
                t.configure(config);
                phase = "apply";
                out.set("output", input == null ? NODES.nullNode() : record(apply(t, input)));
            }
        } catch (Configured e) {
            error(out, "apply", e.getCause());
        } catch (Exception | StackOverflowError e) {
            error(out, phase, e);
        }
        if (Vectors.oddFloat) {
            out.put("float_text_depends_on_jdk", true);
            Vectors.oddFloat = false;
        }
        return out;
    }

    /** What comes of a predicate after configure. */
    static class Configured extends RuntimeException {
        Configured(Throwable cause) {
            super(cause);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void test(Predicate p, Map<String, String> config, ConnectRecord<?> input, ObjectNode out) {
        p.configure(config);
        if (input == null) {
            return;
        }
        try {
            out.put("result", p.test((ConnectRecord) input));
        } catch (Exception e) {
            throw new Configured(e);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static ConnectRecord<?> apply(Transformation t, ConnectRecord<?> input) {
        return t.apply((ConnectRecord) input);
    }

    static void error(ObjectNode out, String phase, Throwable e) {
        out.putNull("output");
        ObjectNode error = out.putObject("error");
        error.put("phase", phase);
        error.put("class", e.getClass().getSimpleName());
        String message = e.getMessage();
        // What prints as its identity: an array, or a class of the transforms.
        String stable = message == null ? null : message.replaceAll("(\\[B|[A-Za-z])@[0-9a-f]+", "$1@<hash>");
        error.put("message", stable);
        if (stable != null && !stable.equals(message)) {
            error.put("messageUnstable", true);
        }
        error.put("kafka", e.getClass().getName().startsWith("org.apache.kafka."));
        if (e.getCause() != null) {
            error.put("causeClass", e.getCause().getClass().getSimpleName());
        }
    }

    static String text(JsonNode n) {
        return n == null || n.isNull() ? null : n.asText();
    }

    // Reading.

    static ConnectRecord<?> record(JsonNode r) {
        Schema keySchema = VECTORS.schema(r.get("keySchema"));
        Object key = VECTORS.value(r.get("key"), keySchema);
        Schema valueSchema = VECTORS.schema(r.get("valueSchema"));
        Object value = VECTORS.value(r.get("value"), valueSchema);
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode h : r.get("headers")) {
            Schema s = VECTORS.schema(h.get("schema"));
            headers.add(h.get("key").asText(), VECTORS.value(h.get("value"), s), s);
        }
        String topic = text(r.get("topic"));
        Integer partition = r.get("partition").isNull() ? null : Integer.valueOf(r.get("partition").intValue());
        Long timestamp = r.get("timestamp").isNull() ? null : Long.valueOf(r.get("timestamp").longValue());
        if (r.get("kind").asText().equals("sink")) {
            TimestampType type = TimestampType.NO_TIMESTAMP_TYPE;
            for (TimestampType t : TimestampType.values()) {
                if (t.toString().equals(text(r.get("timestampType")))) {
                    type = t;
                }
            }
            return new SinkRecord(topic, partition == null ? 0 : partition, keySchema, key, valueSchema, value,
                    r.get("offset").longValue(), timestamp, type, headers);
        }
        return new SourceRecord(Map.of("filename", "f.txt"), Map.of("position", 1L), topic, partition, keySchema, key,
                valueSchema, value, timestamp, headers);
    }

    // Writing.

    static JsonNode record(ConnectRecord<?> r) {
        if (r == null) {
            return NODES.nullNode();
        }
        ObjectNode out = NODES.objectNode();
        SinkRecord sink = r instanceof SinkRecord ? (SinkRecord) r : null;
        out.put("kind", sink != null ? "sink" : "source");
        out.put("topic", r.topic());
        out.put("partition", r.kafkaPartition());
        out.put("timestamp", r.timestamp());
        out.put("timestampType", sink == null ? null : sink.timestampType().toString());
        if (sink != null) {
            out.put("offset", sink.kafkaOffset());
        }
        out.set("keySchema", VECTORS.describe(r.keySchema()));
        out.set("key", VECTORS.describe(r.key(), r.keySchema()));
        out.set("valueSchema", VECTORS.describe(r.valueSchema()));
        out.set("value", VECTORS.describe(r.value(), r.valueSchema()));
        ArrayNode headers = out.putArray("headers");
        for (Header h : r.headers()) {
            ObjectNode header = headers.addObject();
            header.put("key", h.key());
            header.set("schema", VECTORS.describe(h.schema()));
            header.set("value", VECTORS.describe(h.value(), h.schema()));
        }
        return out;
    }
}
