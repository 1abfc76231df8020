import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamWriteConstraints;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.SchemaProjector;
import org.apache.kafka.connect.data.Struct;
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
            Schema source = schema(row.get("source"));
            Schema target = schema(row.get("target"));
            Object value = value(row.get("value"), source);
            run(row, "project", () -> {
                Object got = SchemaProjector.project(source, value, target);
                row.set("output", describe(target, got));
            });
            return;
        }
        if (row.path("direction").asText().equals("convert")) {
            Schema schema = schema(row.get("schema"));
            Object value = value(row.get("value"), schema);
            run(row, "convert", () -> row.set("output", describe(null, convert(row.get("target").asText(), schema, value))));
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
                Schema schema = schema(row.get("schema"));
                Object value = value(row.get("value"), schema);
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
                    output.set("schema", got == null ? null : describe(got.schema()));
                    output.set("value", got == null ? describe(null, null) : describe(got.schema(), got.value()));
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

    // Schemas.

    static Schema schema(JsonNode n) {
        if (n == null || n.isNull()) {
            return null;
        }
        Schema.Type type = Schema.Type.valueOf(n.get("type").asText());
        SchemaBuilder b;
        switch (type) {
            case ARRAY:
                b = n.path("valueSchema").isNull() ? ofNull("arrayOfNull") : SchemaBuilder.array(schema(n.get("valueSchema")));
                break;
            case MAP:
                b = n.path("keySchema").isNull() && n.path("valueSchema").isNull() ? ofNull("mapOfNull")
                        : SchemaBuilder.map(schema(n.get("keySchema")), schema(n.get("valueSchema")));
                break;
            default:
                b = new SchemaBuilder(type);
        }
        if (n.path("optional").asBoolean()) {
            b.optional();
        }
        if (n.has("name")) {
            b.name(n.get("name").asText());
        }
        if (n.has("version")) {
            b.version(n.get("version").asInt());
        }
        if (n.has("doc")) {
            b.doc(n.get("doc").asText());
        }
        if (n.has("parameters")) {
            n.get("parameters").fields().forEachRemaining(e -> b.parameter(e.getKey(), e.getValue().asText()));
        }
        for (JsonNode f : n.path("fields")) {
            b.field(f.get("name").asText(), schema(f.get("schema")));
        }
        if (n.has("default")) {
            b.defaultValue(value(n.get("default"), b));
        }
        return b.build();
    }

    /** Calls one of the builder's methods for what holds nulls alone, which are not public. */
    static SchemaBuilder ofNull(String method) {
        try {
            java.lang.reflect.Method m = SchemaBuilder.class.getDeclaredMethod(method);
            m.setAccessible(true);
            return (SchemaBuilder) m.invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    static JsonNode describe(Schema s) {
        return describeSchema(s, true);
    }

    static JsonNode describeSchema(Schema s, boolean withDefault) {
        if (s == null) {
            return MAPPER.nullNode();
        }
        ObjectNode n = MAPPER.createObjectNode();
        n.put("type", s.type().name());
        n.put("optional", s.isOptional());
        if (s.name() != null) {
            n.put("name", s.name());
        }
        if (s.version() != null) {
            n.put("version", s.version());
        }
        if (s.doc() != null) {
            n.put("doc", s.doc());
        }
        if (s.parameters() != null && !s.parameters().isEmpty()) {
            ObjectNode p = n.putObject("parameters");
            new TreeMap<>(s.parameters()).forEach(p::put);
        }
        if (withDefault && s.defaultValue() != null) {
            n.set("default", describe(s, s.defaultValue()));
        }
        switch (s.type()) {
            case STRUCT:
                ArrayNode fields = n.putArray("fields");
                for (Field f : s.fields()) {
                    ObjectNode field = fields.addObject();
                    field.put("name", f.name());
                    field.put("index", f.index());
                    field.set("schema", describe(f.schema()));
                }
                break;
            case MAP:
                n.set("keySchema", describe(s.keySchema()));
                n.set("valueSchema", describe(s.valueSchema()));
                break;
            case ARRAY:
                n.set("valueSchema", describe(s.valueSchema()));
                break;
            default:
        }
        return n;
    }

    // Typed values.

    static Object value(JsonNode n, Schema around) {
        if (n == null || n.isNull()) {
            return null;
        }
        JsonNode v = n.get("v");
        switch (n.get("t").asText()) {
            case "null": return null;
            case "int8": return (byte) v.asInt();
            case "int16": return (short) v.asInt();
            case "int32": return v.asInt();
            case "int64": return Long.parseLong(v.asText());
            case "float32": return Float.parseFloat(v.asText());
            case "float64": return Double.parseDouble(v.asText());
            case "boolean": return v.asBoolean();
            case "string": return v.asText();
            case "bytes": return Base64.getDecoder().decode(v.asText());
            case "decimal": return new BigDecimal(new BigInteger(v.get("unscaled").asText()), v.get("scale").asInt());
            case "date": return new java.util.Date(v.asLong());
            case "array": {
                List<Object> list = new ArrayList<>();
                for (JsonNode e : v) {
                    list.add(value(e, inner(around, Schema.Type.ARRAY, false)));
                }
                return list;
            }
            case "map": {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (JsonNode p : v) {
                    map.put(value(p.get(0), inner(around, Schema.Type.MAP, true)), value(p.get(1), inner(around, Schema.Type.MAP, false)));
                }
                return map;
            }
            case "struct": {
                Schema s = n.has("schema") ? schema(n.get("schema")) : around;
                Struct struct = new Struct(s);
                for (JsonNode p : v) {
                    Object e = value(p.get(1), s.field(p.get(0).asText()).schema());
                    if (e != null) { // a null may not be allowed; it is there without being put
                        struct.put(p.get(0).asText(), e);
                    }
                }
                return struct;
            }
            default:
                throw new IllegalArgumentException("unknown value " + n);
        }
    }

    static Schema inner(Schema around, Schema.Type type, boolean key) {
        if (around == null || around.type() != type) {
            return null;
        }
        return key ? around.keySchema() : around.valueSchema();
    }

    static JsonNode describe(Schema around, Object o) {
        ObjectNode n = MAPPER.createObjectNode();
        if (o == null) {
            return n.put("t", "null");
        } else if (o instanceof Byte) {
            n.put("t", "int8").put("v", (Byte) o);
        } else if (o instanceof Short) {
            n.put("t", "int16").put("v", (Short) o);
        } else if (o instanceof Integer) {
            n.put("t", "int32").put("v", (Integer) o);
        } else if (o instanceof Long) {
            n.put("t", "int64").put("v", o.toString());
        } else if (o instanceof Float) {
            n.put("t", "float32").put("v", o.toString());
        } else if (o instanceof Double) {
            n.put("t", "float64").put("v", o.toString());
        } else if (o instanceof Boolean) {
            n.put("t", "boolean").put("v", (Boolean) o);
        } else if (o instanceof String) {
            n.put("t", "string").put("v", (String) o);
        } else if (o instanceof byte[]) {
            n.put("t", "bytes").put("v", Base64.getEncoder().encodeToString((byte[]) o));
        } else if (o instanceof ByteBuffer) {
            ByteBuffer b = ((ByteBuffer) o).duplicate();
            byte[] a = new byte[b.remaining()];
            b.get(a);
            n.put("t", "bytes").put("v", Base64.getEncoder().encodeToString(a));
        } else if (o instanceof BigDecimal) {
            n.put("t", "decimal").putObject("v").put("scale", ((BigDecimal) o).scale()).put("unscaled", ((BigDecimal) o).unscaledValue().toString());
        } else if (o instanceof java.util.Date) {
            n.put("t", "date").put("v", ((java.util.Date) o).getTime());
        } else if (o instanceof List) {
            ArrayNode v = n.put("t", "array").putArray("v");
            for (Object e : (List<?>) o) {
                v.add(describe(inner(around, Schema.Type.ARRAY, false), e));
            }
        } else if (o instanceof Map) {
            ArrayNode v = n.put("t", "map").putArray("v");
            for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet()) {
                v.addArray().add(describe(inner(around, Schema.Type.MAP, true), e.getKey())).add(describe(inner(around, Schema.Type.MAP, false), e.getValue()));
            }
        } else if (o instanceof Struct) {
            Struct s = (Struct) o;
            ArrayNode v = n.put("t", "struct").putArray("v");
            for (Field f : s.schema().fields()) {
                v.addArray().add(f.name()).add(describe(f.schema(), s.getWithoutDefault(f.name())));
            }
            if (!same(s.schema(), around)) {
                n.set("schema", describeSchema(s.schema(), false));
            }
        } else {
            throw new IllegalArgumentException("a value of " + o.getClass());
        }
        return n;
    }

    static boolean same(Schema a, Schema around) {
        return around != null && describeSchema(a, false).equals(describeSchema(around, false));
    }
}
