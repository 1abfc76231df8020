import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.apicurio.registry.serde.avro.NonRecordContainer;
import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;

/**
 * Maps what the lines of its input say with AvroData, and writes a line for each:
 *
 *   {"schema", "value"} to {"avro", "bytes", "back": {"schema", "value"}}
 *   {"avro", "bytes", "version"} to {"schema", "value", "again": {"avro", "bytes"}}
 *
 * Schemas and values are in the form of the golden vectors; a struct that stands in itself is
 * {"type", "optional", "cycle"}, the last its name. "config" are AvroData's settings, all of them boolean.
 */
public class AvroOracle {
    static final ObjectMapper MAPPER = new ObjectMapper();
    static final Map<String, String> FIELDS = Map.of( // settings that this AvroData's configuration does not know
            "generalized.sum.type.support", "generalizedSumTypeSupport",
            "ignore.default.for.nullables", "ignoreDefaultForNullables",
            "scrub.invalid.names", "scrubInvalidNames",
            "discard.type.doc.default", "discardTypeDocDefault",
            "allow.optional.map.keys", "allowOptionalMapKey");

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line; (line = in.readLine()) != null;) {
            ObjectNode answer = MAPPER.createObjectNode();
            JsonNode c = MAPPER.readTree(line);
            try {
                AvroData data = avroData(c.get("config"));
                if (c.has("avro")) {
                    toConnect(data, c, answer);
                } else {
                    fromConnect(data, c, answer);
                }
            } catch (Exception | StackOverflowError e) {
                error(answer, e);
            }
            out.println(MAPPER.writeValueAsString(answer));
        }
        out.flush();
    }

    static void error(ObjectNode answer, Throwable e) {
        answer.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
    }

    static AvroData avroData(JsonNode config) throws Exception {
        AvroDataConfig.Builder b = new AvroDataConfig.Builder();
        for (var it = config.fields(); it.hasNext();) {
            var e = it.next();
            if (!FIELDS.containsKey(e.getKey())) {
                b.with(e.getKey(), e.getValue().asText());
            }
        }
        AvroData data = new AvroData(b.build());
        for (var e : FIELDS.entrySet()) {
            Field f = AvroData.class.getDeclaredField(e.getValue());
            f.setAccessible(true);
            f.setBoolean(data, config.has(e.getKey()) && config.get(e.getKey()).asBoolean());
        }
        return data;
    }

    static void fromConnect(AvroData data, JsonNode c, ObjectNode answer) throws Exception {
        Schema schema = schema(c.get("schema"));
        Object value = value(c.get("value"), schema);
        org.apache.avro.Schema avro = data.fromConnectSchema(schema);
        answer.put("avro", avro.toString());
        byte[] bytes = bytes(data, avro, schema, value);
        answer.put("bytes", Base64.getEncoder().encodeToString(bytes));
        ObjectNode back = answer.putObject("back");
        try {
            connect(data, avro.toString(), bytes, null, back);
        } catch (Exception e) {
            error(back, e);
        }
    }

    static byte[] bytes(AvroData data, org.apache.avro.Schema avro, Schema schema, Object value) throws Exception {
        Object datum = data.fromConnectData(schema, value);
        if (datum instanceof NonRecordContainer) {
            datum = ((NonRecordContainer) datum).getValue();
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<Object>(avro).write(datum, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    static SchemaAndValue connect(AvroData data, String text, byte[] bytes, Integer version, ObjectNode answer) throws Exception {
        org.apache.avro.Schema avro = parse(text);
        Object datum = new GenericDatumReader<Object>(avro).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
        SchemaAndValue v = data.toConnectData(avro, datum, version);
        answer.set("schema", v == null ? null : json(v.schema()));
        answer.set("value", v == null ? json(null, null) : json(v.value(), v.schema()));
        return v;
    }

    static org.apache.avro.Schema parse(String text) {
        org.apache.avro.Schema.Parser p = new org.apache.avro.Schema.Parser();
        p.setValidateDefaults(false); // as Confluent's does for a schema of the registry
        return p.parse(text);
    }

    static void toConnect(AvroData data, JsonNode c, ObjectNode answer) throws Exception {
        Integer version = c.has("version") ? c.get("version").intValue() : null;
        SchemaAndValue v = connect(data, c.get("avro").asText(), c.get("bytes").binaryValue(), version, answer);
        ObjectNode again = answer.putObject("again");
        try {
            if (v != null) {
                org.apache.avro.Schema avro = data.fromConnectSchema(v.schema());
                again.put("avro", avro.toString());
                again.put("bytes", Base64.getEncoder().encodeToString(bytes(data, avro, v.schema(), v.value())));
            }
        } catch (Exception | StackOverflowError e) {
            error(again, e);
        }
    }

    // The golden vectors' form.

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
                b = new SchemaBuilder(type);
        }
        if (n.get("optional").asBoolean()) {
            b.optional();
        }
        if (n.has("name")) {
            b.name(n.get("name").asText());
        }
        if (n.has("version")) {
            b.version(n.get("version").intValue());
        }
        if (n.has("doc")) {
            b.doc(n.get("doc").asText());
        }
        if (n.has("parameters")) {
            n.get("parameters").fields().forEachRemaining(e -> b.parameter(e.getKey(), e.getValue().asText()));
        }
        if (n.has("fields")) {
            for (JsonNode f : n.get("fields")) {
                b.field(f.get("name").asText(), schema(f.get("schema")));
            }
        }
        if (n.has("default")) {
            b.defaultValue(value(n.get("default"), b));
        }
        return b.build();
    }

    static Object value(JsonNode n, Schema s) {
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
                return Long.parseLong(v.asText());
            case "float32":
                return Float.parseFloat(v.asText());
            case "float64":
                return Double.parseDouble(v.asText());
            case "boolean":
                return v.asBoolean();
            case "string":
                return v.asText();
            case "bytes":
                return Base64.getDecoder().decode(v.asText());
            case "decimal":
                return new BigDecimal(new BigInteger(v.get("unscaled").asText()), v.get("scale").intValue());
            case "date":
                return new Date(v.longValue());
            case "array": {
                List<Object> list = new ArrayList<>();
                for (JsonNode e : v) {
                    list.add(value(e, s == null ? null : s.valueSchema()));
                }
                return list;
            }
            case "map": {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (JsonNode e : v) {
                    map.put(value(e.get(0), s == null ? null : s.keySchema()), value(e.get(1), s == null ? null : s.valueSchema()));
                }
                return map;
            }
            case "struct": {
                Struct struct = new Struct(s);
                for (JsonNode e : v) {
                    String field = e.get(0).asText();
                    struct.put(field, value(e.get(1), s.field(field).schema()));
                }
                return struct;
            }
            default:
                throw new IllegalArgumentException("no type " + n);
        }
    }

    static JsonNode json(Schema s) {
        if (s == null) {
            return null;
        }
        ObjectNode n = MAPPER.createObjectNode();
        n.put("type", s.type().name());
        n.put("optional", s.isOptional());
        if (s.getClass().getSimpleName().equals("CyclicSchemaWrapper")) {
            n.put("cycle", s.name());
            return n;
        }
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
            s.parameters().forEach(p::put);
        }
        if (s.defaultValue() != null) {
            n.set("default", json(s.defaultValue(), s));
        }
        switch (s.type()) {
            case MAP:
                n.set("keySchema", json(s.keySchema()));
                n.set("valueSchema", json(s.valueSchema()));
                break;
            case ARRAY:
                n.set("valueSchema", json(s.valueSchema()));
                break;
            case STRUCT: {
                ArrayNode fields = n.putArray("fields");
                for (org.apache.kafka.connect.data.Field f : s.fields()) {
                    ObjectNode field = fields.addObject();
                    field.put("name", f.name());
                    field.put("index", f.index());
                    field.set("schema", json(f.schema()));
                }
                break;
            }
            default:
        }
        return n;
    }

    static ObjectNode typed(String t) {
        return MAPPER.createObjectNode().put("t", t);
    }

    static JsonNode json(Object v, Schema s) {
        if (v == null) {
            return typed("null");
        } else if (v instanceof Byte) {
            return typed("int8").put("v", (Byte) v);
        } else if (v instanceof Short) {
            return typed("int16").put("v", (Short) v);
        } else if (v instanceof Integer) {
            return typed("int32").put("v", (Integer) v);
        } else if (v instanceof Long) {
            return typed("int64").put("v", v.toString());
        } else if (v instanceof Float) {
            return typed("float32").put("v", v.toString());
        } else if (v instanceof Double) {
            return typed("float64").put("v", v.toString());
        } else if (v instanceof Boolean) {
            return typed("boolean").put("v", (Boolean) v);
        } else if (v instanceof String) {
            return typed("string").put("v", (String) v);
        } else if (v instanceof byte[]) {
            return typed("bytes").put("v", Base64.getEncoder().encodeToString((byte[]) v));
        } else if (v instanceof ByteBuffer) {
            ByteBuffer b = ((ByteBuffer) v).duplicate();
            byte[] bytes = new byte[b.remaining()];
            b.get(bytes);
            return json(bytes, s);
        } else if (v instanceof BigDecimal) {
            ObjectNode n = typed("decimal");
            n.putObject("v").put("scale", ((BigDecimal) v).scale()).put("unscaled", ((BigDecimal) v).unscaledValue().toString());
            return n;
        } else if (v instanceof Date) {
            return typed("date").put("v", ((Date) v).getTime());
        } else if (v instanceof Collection) {
            ObjectNode n = typed("array");
            ArrayNode list = n.putArray("v");
            for (Object e : (Collection<?>) v) {
                list.add(json(e, s == null ? null : s.valueSchema()));
            }
            return n;
        } else if (v instanceof Map) {
            ObjectNode n = typed("map");
            ArrayNode list = n.putArray("v");
            for (Map.Entry<?, ?> e : ((Map<?, ?>) v).entrySet()) {
                list.addArray().add(json(e.getKey(), s == null ? null : s.keySchema())).add(json(e.getValue(), s == null ? null : s.valueSchema()));
            }
            return n;
        } else if (v instanceof Struct) {
            ObjectNode n = typed("struct");
            ArrayNode list = n.putArray("v");
            Struct struct = (Struct) v;
            for (org.apache.kafka.connect.data.Field f : struct.schema().fields()) {
                list.addArray().add(f.name()).add(json(struct.getWithoutDefault(f.name()), f.schema()));
            }
            return n;
        }
        throw new IllegalArgumentException("no form for " + v.getClass());
    }
}
