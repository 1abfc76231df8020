import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.apicurio.registry.serde.avro.NonRecordContainer;
import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;

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
    static final Vectors VECTORS = new Vectors();
    static final Map<String, String> FIELDS = Map.of( // settings that this AvroData's configuration does not know
            "generalized.sum.type.support", "generalizedSumTypeSupport",
            "ignore.default.for.nullables", "ignoreDefaultForNullables",
            "scrub.invalid.names", "scrubInvalidNames",
            "discard.type.doc.default", "discardTypeDocDefault",
            "allow.optional.map.keys", "allowOptionalMapKey");

    public static void main(String[] args) throws Exception {
        VECTORS.ownSchemas = false;
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
        Schema schema = VECTORS.schema(c.get("schema"));
        Object value = VECTORS.value(c.get("value"), schema);
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
        answer.set("schema", v == null ? null : VECTORS.describe(v.schema()));
        answer.set("value", v == null ? VECTORS.describe(null, null) : VECTORS.describe(v.value(), v.schema()));
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
}
