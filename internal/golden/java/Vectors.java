import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;

/** Reads and writes schemas and values in the form of the golden vectors (testdata/golden/README.md). */
class Vectors {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    /** Maps are read as hash maps, and not in the order in which they stand. */
    boolean hashMaps;
    /** Bytes are read as buffers, and not as arrays, but for defaults. */
    boolean buffers;
    /** A struct is written with its schema where it has another than the one around it says. */
    boolean ownSchemas = true;

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

    // Reading.

    Schema schema(JsonNode n) {
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
        if (n.hasNonNull("name")) {
            b.name(n.get("name").asText());
        }
        if (n.hasNonNull("version")) {
            b.version(n.get("version").asInt());
        }
        if (n.hasNonNull("doc")) {
            b.doc(n.get("doc").asText());
        }
        if (n.hasNonNull("parameters")) {
            n.get("parameters").fields().forEachRemaining(e -> b.parameter(e.getKey(), e.getValue().asText()));
        }
        for (JsonNode f : n.path("fields")) {
            b.field(f.get("name").asText(), schema(f.get("schema")));
        }
        if (n.hasNonNull("default")) {
            b.defaultValue(value(n.get("default"), b, false));
        }
        return b.build();
    }

    /** The value that n says, under a schema or under none. */
    Object value(JsonNode n, Schema around) {
        return value(n, around, buffers);
    }

    private Object value(JsonNode n, Schema around, boolean buffers) {
        if (n == null || n.isNull()) {
            return null;
        }
        JsonNode v = n.get("v");
        switch (n.get("t").asText()) {
            case "null":
                return null;
            case "int8":
                return (byte) v.asInt();
            case "int16":
                return (short) v.asInt();
            case "int32":
                return v.asInt();
            case "int64":
                return Long.valueOf(v.asText());
            case "float32":
                return Float.valueOf(v.asText());
            case "float64":
                return Double.valueOf(v.asText());
            case "boolean":
                return v.asBoolean();
            case "string":
                return v.asText();
            case "bytes":
                byte[] bytes = Base64.getDecoder().decode(v.asText());
                return buffers ? ByteBuffer.wrap(bytes) : bytes;
            case "decimal":
                return new BigDecimal(new BigInteger(v.get("unscaled").asText()), v.get("scale").asInt());
            case "date":
                return new Date(v.asLong());
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
                return hashMaps ? new HashMap<>(map) : map; // its size is what the order of iteration depends on
            case "struct":
                Struct struct = new Struct(n.has("schema") ? schema(n.get("schema")) : around);
                for (JsonNode f : v) {
                    Field field = struct.schema().field(f.get(0).asText());
                    Object set = value(f.get(1), field.schema(), buffers);
                    if (set != null) { // a null may not be allowed; it is there without being put
                        struct.put(field, set);
                    }
                }
                return struct;
            default:
                throw new IllegalArgumentException("unknown value " + n);
        }
    }

    /** Calls one of the builder's methods for what holds nulls alone, which are not public. */
    private static SchemaBuilder ofNull(String method) {
        try {
            Method m = SchemaBuilder.class.getDeclaredMethod(method);
            m.setAccessible(true);
            return (SchemaBuilder) m.invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    // Writing.

    JsonNode describe(Schema s) {
        return describe(s, true);
    }

    private JsonNode describe(Schema s, boolean withDefault) {
        if (s == null) {
            return NODES.nullNode();
        }
        ObjectNode out = NODES.objectNode();
        out.put("type", s.type().name());
        out.put("optional", s.isOptional());
        if (s.getClass().getSimpleName().equals("CyclicSchemaWrapper")) { // AvroData's, for a schema that is around
            return out.put("cycle", s.name());
        }
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
            out.set("default", describe(s.defaultValue(), s));
        }
        switch (s.type()) {
            case STRUCT:
                ArrayNode fields = out.putArray("fields");
                for (Field f : s.fields()) {
                    ObjectNode field = fields.addObject();
                    field.put("name", f.name());
                    field.put("index", f.index());
                    field.set("schema", describe(f.schema()));
                }
                break;
            case MAP:
                out.set("keySchema", describe(s.keySchema()));
                out.set("valueSchema", describe(s.valueSchema()));
                break;
            case ARRAY:
                out.set("valueSchema", describe(s.valueSchema()));
                break;
            default:
        }
        return out;
    }

    private static ObjectNode typed(String t, JsonNode v) {
        ObjectNode out = NODES.objectNode();
        out.put("t", t);
        out.set("v", v);
        return out;
    }

    ObjectNode describe(Object v, Schema around) {
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
        } else if (v instanceof Collection) {
            ArrayNode list = NODES.arrayNode();
            Schema elem = around != null && around.type() == Schema.Type.ARRAY ? around.valueSchema() : null;
            ((Collection<?>) v).forEach(e -> list.add(describe(e, elem)));
            return typed("array", list);
        } else if (v instanceof Map) {
            ArrayNode list = NODES.arrayNode();
            boolean typed = around != null && around.type() == Schema.Type.MAP;
            ((Map<?, ?>) v).forEach((k, e) -> list.addArray().add(describe(k, typed ? around.keySchema() : null))
                    .add(describe(e, typed ? around.valueSchema() : null)));
            return typed("map", list);
        } else if (v instanceof Struct) {
            Struct s = (Struct) v;
            ArrayNode list = NODES.arrayNode();
            for (Field f : s.schema().fields()) {
                list.addArray().add(f.name()).add(describe(s.getWithoutDefault(f.name()), f.schema()));
            }
            ObjectNode out = typed("struct", list);
            if (ownSchemas) {
                JsonNode own = describe(s.schema(), false);
                if (around == null || !own.equals(describe(around, false))) {
                    out.set("schema", own);
                }
            }
            return out;
        }
        throw new IllegalStateException("a value of " + v.getClass());
    }
}
