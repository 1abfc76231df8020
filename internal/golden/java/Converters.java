import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamWriteConstraints;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaProjector;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;

/**
 * Answers rows of the form of json_converter.jsonl, primitive_converters.jsonl, simple_header_converter.jsonl and
 * schema_projector.jsonl (testdata/golden) by Kafka Connect's own classes: reads a row a line, of which the inputs count,
 * and prints it with what came out. With --check it says which rows are not what came out. See
 * scripts/golden-converters.sh.
 */
public class Converters {
    static final ObjectMapper MAPPER = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(100_000).maxNumberLength(100_000)
                    .maxStringLength(Integer.MAX_VALUE).build())
            .streamWriteConstraints(StreamWriteConstraints.builder().maxNestingDepth(100_000).build()).build());

    static final Vectors VECTORS = new Vectors();

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Locale.setDefault(Locale.US);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        boolean check = args.length > 0 && args[0].equals("--check");
        boolean bad = false;
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isBlank()) {
                continue;
            }
            ObjectNode row = (ObjectNode) MAPPER.readTree(line);
            try {
                answer(row);
            } catch (Exception e) {
                System.err.println(row.path("id").asText() + " cannot be asked: " + e);
                bad = true;
                continue;
            }
            String text = MAPPER.writeValueAsString(row);
            if (check) {
                if (!MAPPER.readTree(stable(text)).equals(MAPPER.readTree(stable(line)))) {
                    System.err.println(row.path("id").asText() + " gives " + text);
                    bad = true;
                }
                continue;
            }
            // A lone surrogate is no character and has no UTF-8: such a row is written in ASCII.
            boolean proper = StandardCharsets.UTF_8.newEncoder().canEncode(text);
            out.println(proper ? text : MAPPER.writer().with(JsonWriteFeature.ESCAPE_NON_ASCII).writeValueAsString(row));
        }
        out.flush();
        System.exit(bad ? 1 : 0);
    }

    /** The text without what differs from run to run, and with one class for bytes: the rows do not tell which it was. */
    static String stable(String text) {
        return text.replaceAll("java\\.nio\\.HeapByteBuffer(\\[[^]]*\\])?|\\[B(@[0-9a-f]+)?", "[B");
    }

    /** A step of a row: what it gives is written into the row. */
    interface Step {
        void run() throws Exception;
    }

    /** Runs a step; what it throws becomes the row's error. Returns whether it came through. */
    static boolean run(ObjectNode row, String phase, Step step) {
        try {
            step.run();
            return true;
        } catch (Throwable e) {
            row.putNull("output");
            ObjectNode error = row.putObject("error");
            error.put("phase", phase);
            error.put("class", e.getClass().getSimpleName());
            String message = e.getMessage();
            String stable = message == null ? null : message.replaceAll("@[0-9a-f]{5,8}\\b", "@<hash>");
            error.put("message", stable);
            error.put("kafka", e.getClass().getName().startsWith("org.apache.kafka."));
            if (e.getCause() != null) {
                error.put("causeClass", e.getCause().getClass().getSimpleName());
            }
            if (message != null && !message.equals(stable)) {
                error.put("messageUnstable", true);
            }
            return false;
        }
    }

    static void answer(ObjectNode row) throws Exception {
        row.remove(List.of("output", "error", "returnedNull"));
        String topic = text(row, "topic");
        String header = text(row, "header");
        if (row.has("source")) {
            Schema source = VECTORS.schema(row.get("source"));
            Schema target = VECTORS.schema(row.get("target"));
            Object value = VECTORS.value(row.get("value"), source);
            run(row, "project", () -> {
                Object got = SchemaProjector.project(source, value, target);
                row.set("output", VECTORS.describe(got, target));
            });
            return;
        }
        if (row.path("direction").asText().equals("convert")) {
            Schema schema = VECTORS.schema(row.get("schema"));
            Object value = VECTORS.value(row.get("value"), schema);
            run(row, "convert", () -> row.set("output", VECTORS.describe(convert(row.get("target").asText(), schema, value), null)));
            return;
        }
        Converter converter = null;
        HeaderConverter headers = null;
        if (!row.has("config")) {
            headers = new SimpleHeaderConverter();
            headers.configure(Map.of());
        } else {
            String name = row.has("class") ? row.get("class").asText() : JsonConverter.class.getName();
            Object it = Class.forName(name).getDeclaredConstructor().newInstance();
            Map<String, Object> config = new HashMap<>();
            row.get("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().isNull() ? null : e.getValue().asText()));
            boolean isHeader = row.get("direction").asText().endsWith("Header");
            boolean ok = run(row, "configure", () -> {
                if (isHeader) {
                    ((HeaderConverter) it).configure(config);
                } else {
                    ((Converter) it).configure(config, row.get("isKey").asBoolean());
                }
            });
            if (!ok) {
                return;
            }
            if (isHeader) {
                headers = (HeaderConverter) it;
            } else {
                converter = (Converter) it;
            }
        }
        Converter c = converter;
        HeaderConverter h = headers;
        switch (row.get("direction").asText()) {
            case "fromConnectData":
            case "fromConnectHeader": {
                Schema schema = VECTORS.schema(row.get("schema"));
                Object value = VECTORS.value(row.get("value"), schema);
                run(row, "convert", () -> row.set("output", bytes(c != null
                        ? c.fromConnectData(topic, schema, value) : h.fromConnectHeader(topic, header, schema, value))));
                break;
            }
            case "toConnectData":
            case "toConnectHeader": {
                byte[] input = bytes(row.get("input"));
                run(row, "convert", () -> {
                    SchemaAndValue got = c != null ? c.toConnectData(topic, input) : h.toConnectHeader(topic, header, input);
                    ObjectNode output = MAPPER.createObjectNode();
                    output.set("schema", got == null ? null : VECTORS.describe(got.schema()));
                    output.set("value", got == null ? VECTORS.describe(null, null) : VECTORS.describe(got.value(), got.schema()));
                    row.set("output", output);
                    if (got == null) {
                        row.put("returnedNull", true);
                    }
                });
                break;
            }
            default:
                throw new IllegalArgumentException("unknown direction");
        }
    }

    static String text(JsonNode row, String name) {
        return row.hasNonNull(name) ? row.get(name).asText() : null;
    }

    static Object convert(String target, Schema schema, Object value) {
        switch (target) {
            case "BOOLEAN": return Values.convertToBoolean(schema, value);
            case "INT8": return Values.convertToByte(schema, value);
            case "INT16": return Values.convertToShort(schema, value);
            case "INT32": return Values.convertToInteger(schema, value);
            case "INT64": return Values.convertToLong(schema, value);
            case "FLOAT32": return Values.convertToFloat(schema, value);
            case "FLOAT64": return Values.convertToDouble(schema, value);
            case "STRING": return Values.convertToString(schema, value);
            case "ARRAY": return Values.convertToList(schema, value);
            case "MAP": return Values.convertToMap(schema, value);
            case "STRUCT": return Values.convertToStruct(schema, value);
            case "Date": return Values.convertToDate(schema, value);
            case "Time": return Values.convertToTime(schema, value);
            case "Timestamp": return Values.convertToTimestamp(schema, value);
            case "Decimal-2": return Values.convertToDecimal(schema, value, 2);
            default: throw new IllegalArgumentException("unknown target " + target);
        }
    }

    // Bytes.

    static byte[] bytes(JsonNode n) {
        if (n == null || n.isNull()) {
            return null;
        }
        return n.has("utf8") ? n.get("utf8").asText().getBytes(StandardCharsets.UTF_8) : Base64.getDecoder().decode(n.get("base64").asText());
    }

    static JsonNode bytes(byte[] b) {
        if (b == null) {
            return MAPPER.nullNode();
        }
        ObjectNode n = MAPPER.createObjectNode();
        try {
            n.put("utf8", StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(b)).toString());
        } catch (CharacterCodingException e) {
            n.put("base64", Base64.getEncoder().encodeToString(b));
        }
        return n;
    }
}
