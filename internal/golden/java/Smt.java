import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
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

    public static void main(String[] args) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Locale.setDefault(Locale.US);
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
            input = record(row.get("input"), row.get("id").asText().contains("bytebuffer"));
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
        if (oddFloat) {
            out.put("float_text_depends_on_jdk", true);
            oddFloat = false;
        }
        return out;
    }

    /** Whether a float was written with more digits than it needs, as Java does before version 19. */
    static boolean oddFloat;

    static String text(Number n) {
        String text = n.toString();
        if (!Double.isFinite(n.doubleValue())) {
            return text;
        }
        BigDecimal exact = new BigDecimal(text).stripTrailingZeros();
        for (RoundingMode mode : List.of(RoundingMode.UP, RoundingMode.DOWN)) {
            BigDecimal shorter = exact.precision() < 3 ? exact : exact.round(new MathContext(exact.precision() - 1, mode));
            Number back = n instanceof Float ? (Number) shorter.floatValue() : (Number) shorter.doubleValue();
            oddFloat |= shorter.precision() < exact.precision() && back.equals(n);
        }
        return text;
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

    static ConnectRecord<?> record(JsonNode r, boolean buffers) {
        Schema keySchema = schema(r.get("keySchema"));
        Object key = value(r.get("key"), keySchema, buffers);
        Schema valueSchema = schema(r.get("valueSchema"));
        Object value = value(r.get("value"), valueSchema, buffers);
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode h : r.get("headers")) {
            Schema s = schema(h.get("schema"));
            headers.add(h.get("key").asText(), value(h.get("value"), s, buffers), s);
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

    static Schema schema(JsonNode n) {
        if (n == null || n.isNull()) {
            return null;
        }
        Schema.Type type = Schema.Type.valueOf(n.get("type").asText());
        SchemaBuilder b;
        switch (type) {
            case ARRAY:
                b = SchemaBuilder.array(schema(n.get("valueSchema")));
                break;
            case MAP:
                b = SchemaBuilder.map(schema(n.get("keySchema")), schema(n.get("valueSchema")));
                break;
            default:
                b = SchemaBuilder.type(type);
        }
        if (n.get("optional").booleanValue()) {
            b.optional();
        }
        if (n.hasNonNull("name")) {
            b.name(n.get("name").asText());
        }
        if (n.hasNonNull("version")) {
            b.version(n.get("version").intValue());
        }
        if (n.hasNonNull("doc")) {
            b.doc(n.get("doc").asText());
        }
        if (n.hasNonNull("parameters")) {
            n.get("parameters").fields().forEachRemaining(e -> b.parameter(e.getKey(), e.getValue().asText()));
        }
        if (n.has("fields")) {
            for (JsonNode f : n.get("fields")) {
                b.field(f.get("name").asText(), schema(f.get("schema")));
            }
        }
        if (n.hasNonNull("default")) {
            b.defaultValue(value(n.get("default"), b, false));
        }
        return b.build();
    }

    static Object value(JsonNode n, Schema around, boolean buffers) {
        JsonNode v = n.get("v");
        switch (n.get("t").asText()) {
            case "null":
                return null;
            case "int8":
                return (byte) v.intValue();
            case "int16":
                return (short) v.intValue();
            case "int32":
                return v.intValue();
            case "int64":
                return Long.valueOf(v.asText());
            case "float32":
                return Float.valueOf(v.asText());
            case "float64":
                return Double.valueOf(v.asText());
            case "boolean":
                return v.booleanValue();
            case "string":
                return v.asText();
            case "bytes":
                byte[] bytes = Base64.getDecoder().decode(v.asText());
                return buffers ? ByteBuffer.wrap(bytes) : bytes;
            case "decimal":
                return new BigDecimal(new BigInteger(v.get("unscaled").asText()), v.get("scale").intValue());
            case "date":
                return new Date(v.longValue());
            case "array":
                List<Object> list = new ArrayList<>();
                Schema elem = around != null && around.type() == Schema.Type.ARRAY ? around.valueSchema() : null;
                v.forEach(e -> list.add(value(e, elem, buffers)));
                return list;
            case "map":
                Map<Object, Object> map = new LinkedHashMap<>();
                boolean typed = around != null && around.type() == Schema.Type.MAP;
                v.forEach(p -> map.put(value(p.get(0), typed ? around.keySchema() : null, buffers),
                        value(p.get(1), typed ? around.valueSchema() : null, buffers)));
                return new HashMap<>(map); // its size is what the order of iteration depends on
            default:
                Struct struct = new Struct(n.has("schema") ? schema(n.get("schema")) : around);
                for (JsonNode f : v) {
                    Field field = struct.schema().field(f.get(0).asText());
                    Object set = value(f.get(1), field.schema(), buffers);
                    if (set != null) {
                        struct.put(field, set);
                    }
                }
                return struct;
        }
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
        out.set("keySchema", schema(r.keySchema(), true));
        out.set("key", value(r.key(), r.keySchema()));
        out.set("valueSchema", schema(r.valueSchema(), true));
        out.set("value", value(r.value(), r.valueSchema()));
        ArrayNode headers = out.putArray("headers");
        for (Header h : r.headers()) {
            ObjectNode header = headers.addObject();
            header.put("key", h.key());
            header.set("schema", schema(h.schema(), true));
            header.set("value", value(h.value(), h.schema()));
        }
        return out;
    }

    static JsonNode schema(Schema s, boolean withDefault) {
        if (s == null) {
            return NODES.nullNode();
        }
        ObjectNode out = NODES.objectNode();
        out.put("type", s.type().name());
        out.put("optional", s.isOptional());
        if (s.name() != null) {
            out.put("name", s.name());
        }
        if (s.version() != null) {
            out.put("version", s.version());
        }
        if (s.doc() != null) {
            out.put("doc", s.doc());
        }
        if (s.parameters() != null && !s.parameters().isEmpty()) {
            ObjectNode parameters = out.putObject("parameters");
            new TreeMap<>(s.parameters()).forEach(parameters::put);
        }
        if (withDefault && s.defaultValue() != null) {
            out.set("default", value(s.defaultValue(), s));
        }
        switch (s.type()) {
            case STRUCT:
                ArrayNode fields = out.putArray("fields");
                for (Field f : s.fields()) {
                    ObjectNode field = fields.addObject();
                    field.put("name", f.name());
                    field.put("index", f.index());
                    field.set("schema", schema(f.schema(), true));
                }
                break;
            case MAP:
                out.set("keySchema", schema(s.keySchema(), true));
                out.set("valueSchema", schema(s.valueSchema(), true));
                break;
            case ARRAY:
                out.set("valueSchema", schema(s.valueSchema(), true));
                break;
            default:
        }
        return out;
    }

    static ObjectNode typed(String t, JsonNode v) {
        ObjectNode out = NODES.objectNode();
        out.put("t", t);
        out.set("v", v);
        return out;
    }

    static ObjectNode value(Object v, Schema around) {
        if (v == null) {
            return NODES.objectNode().put("t", "null");
        } else if (v instanceof Byte) {
            return typed("int8", NODES.numberNode((Byte) v));
        } else if (v instanceof Short) {
            return typed("int16", NODES.numberNode((Short) v));
        } else if (v instanceof Integer) {
            return typed("int32", NODES.numberNode((Integer) v));
        } else if (v instanceof Long) {
            return typed("int64", NODES.textNode(v.toString()));
        } else if (v instanceof Float) {
            return typed("float32", NODES.textNode(text((Float) v)));
        } else if (v instanceof Double) {
            return typed("float64", NODES.textNode(text((Double) v)));
        } else if (v instanceof Boolean) {
            return typed("boolean", NODES.booleanNode((Boolean) v));
        } else if (v instanceof String) {
            return typed("string", NODES.textNode((String) v));
        } else if (v instanceof byte[]) {
            return typed("bytes", NODES.textNode(Base64.getEncoder().encodeToString((byte[]) v)));
        } else if (v instanceof ByteBuffer) {
            ByteBuffer b = ((ByteBuffer) v).duplicate();
            byte[] bytes = new byte[b.remaining()];
            b.get(bytes);
            return typed("bytes", NODES.textNode(Base64.getEncoder().encodeToString(bytes)));
        } else if (v instanceof BigDecimal) {
            ObjectNode d = NODES.objectNode();
            d.put("scale", ((BigDecimal) v).scale());
            d.put("unscaled", ((BigDecimal) v).unscaledValue().toString());
            return typed("decimal", d);
        } else if (v instanceof Date) {
            return typed("date", NODES.numberNode(((Date) v).getTime()));
        } else if (v instanceof List) {
            ArrayNode list = NODES.arrayNode();
            Schema elem = around != null && around.type() == Schema.Type.ARRAY ? around.valueSchema() : null;
            ((List<?>) v).forEach(e -> list.add(value(e, elem)));
            return typed("array", list);
        } else if (v instanceof Map) {
            ArrayNode list = NODES.arrayNode();
            boolean typed = around != null && around.type() == Schema.Type.MAP;
            ((Map<?, ?>) v).forEach((k, e) -> list.addArray().add(value(k, typed ? around.keySchema() : null))
                    .add(value(e, typed ? around.valueSchema() : null)));
            return typed("map", list);
        } else if (v instanceof Struct) {
            Struct s = (Struct) v;
            ArrayNode list = NODES.arrayNode();
            for (Field f : s.schema().fields()) {
                list.addArray().add(f.name()).add(value(s.getWithoutDefault(f.name()), f.schema()));
            }
            ObjectNode out = typed("struct", list);
            JsonNode own = schema(s.schema(), false);
            if (around == null || !own.equals(schema(around, false))) {
                out.set("schema", own);
            }
            return out;
        }
        throw new IllegalStateException("a value of " + v.getClass());
    }
}
