package troupe.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.serde.avro.NonRecordContainer;
import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.storage.Converter;

/**
 * Stands in for Confluent's AvroConverter, whose jar is not on Maven Central: Apicurio's fork of its AvroData, Avro's
 * GenericDatumWriter and GenericDatumReader, the wire format, and the same registry over HTTP. Every schema is asked for
 * once, writers, readers and buffers are kept; nothing is done for a record that Confluent's does not do.
 */
public class AvroDataConverter implements Converter {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** Opens the form that has the Avro schema already, as Confluent's converter calls it. */
    private static class Data extends AvroData {
        Data() {
            super(new AvroDataConfig(Map.of()));
        }

        Object from(Schema schema, org.apache.avro.Schema avro, Object value) {
            return fromConnectData(schema, avro, value);
        }
    }

    private static class Written {
        int id;
        GenericDatumWriter<Object> writer;
    }

    private static class Read {
        org.apache.avro.Schema schema;
        GenericDatumReader<Object> reader;
        Integer version;
    }

    private final Data data = new Data();
    private final HttpClient http = HttpClient.newHttpClient();
    private String registry;
    private String suffix;
    private final Map<org.apache.avro.Schema, Written> written = new IdentityHashMap<>(); // AvroData has a schema once
    private final Map<Integer, Read> read = new HashMap<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private BinaryEncoder encoder;
    private BinaryDecoder decoder;

    @Override
    public void configure(Map<String, ?> config, boolean isKey) {
        registry = config.get("schema.registry.url").toString();
        suffix = isKey ? "-key" : "-value";
    }

    @Override
    public byte[] fromConnectData(String topic, Schema schema, Object value) {
        if (value == null && (schema == null || schema.isOptional())) {
            return null;
        }
        try {
            org.apache.avro.Schema avro = data.fromConnectSchema(schema);
            Written w = written.get(avro);
            if (w == null) {
                w = new Written();
                w.id = post("/subjects/" + topic + suffix + "/versions", avro.toString()).get("id").intValue();
                w.writer = new GenericDatumWriter<>(avro);
                written.put(avro, w);
            }
            Object datum = data.from(schema, avro, value);
            if (datum instanceof NonRecordContainer) {
                datum = ((NonRecordContainer) datum).getValue();
            }
            out.reset();
            out.write(0);
            out.write(w.id >>> 24);
            out.write(w.id >>> 16);
            out.write(w.id >>> 8);
            out.write(w.id);
            encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
            w.writer.write(datum, encoder);
            encoder.flush();
            return out.toByteArray();
        } catch (IOException e) {
            throw new DataException("writing Avro for " + topic, e);
        }
    }

    @Override
    public SchemaAndValue toConnectData(String topic, byte[] value) {
        if (value == null) {
            return SchemaAndValue.NULL;
        }
        try {
            int id = ByteBuffer.wrap(value, 1, 4).getInt();
            Read r = read.get(id);
            if (r == null) {
                r = new Read();
                JsonNode known = send(HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).build());
                if (known == null) {
                    throw new DataException("the registry has no schema " + id);
                }
                String text = known.get("schema").asText();
                r.schema = new org.apache.avro.Schema.Parser().parse(text);
                r.reader = new GenericDatumReader<>(r.schema);
                JsonNode found = post("/subjects/" + topic + suffix, text);
                r.version = found == null ? null : found.get("version").intValue();
                read.put(id, r);
            }
            decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
            return data.toConnectData(r.schema, r.reader.read(null, decoder), r.version);
        } catch (IOException e) {
            throw new DataException("reading Avro from " + topic, e);
        }
    }

    /** The answer; null when there is none of that subject, which is no error here: the rows make topics of any name. */
    private JsonNode post(String path, String schema) throws IOException {
        String body = MAPPER.writeValueAsString(Map.of("schema", schema));
        return send(HttpRequest.newBuilder(URI.create(registry + path)).header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .POST(HttpRequest.BodyPublishers.ofString(body)).build());
    }

    private JsonNode send(HttpRequest request) throws IOException {
        try {
            HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() == 404) {
                return null;
            }
            if (answer.statusCode() != 200) {
                throw new IOException(request.uri() + ": " + answer.statusCode() + " " + answer.body());
            }
            return MAPPER.readTree(answer.body());
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
