import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Drives Kafka Connect's own classes on one thread, for the benchmark's row classes:
 *
 *   java -cp "$(scripts/fetch-kafka.sh --print-dir)/libs/*" bench/java/Classes.java bench/java/classes.json cast 2000 1000 ""
 *
 * The arguments are the cases, the key of one of them or "all", the milliseconds of
 * warm-up and of measuring, in CPU time of the thread, and the address of a schema registry for the cases that have a
 * "javaClass", which stands in for one that is not to be had. Each case prints a line of JSON: what came out, and how long
 * how many records took.
 */
public class Classes {
    static final ObjectMapper MAPPER = new ObjectMapper();
    static final JsonConverter TEXT = json();
    static final int ROUND = 500; // calls between two looks at the clock
    static final long LOOK = 5_000_000; // nanoseconds between two looks at the thread's CPU time

    /** What is measured: call i, of any number. */
    interface Op {
        Object call(int i);
    }

    /** What comes out goes here, so that the compiler cannot leave the work undone. */
    static Object sink;

    static class Case {
        Op op;
        List<String> output = new ArrayList<>();
    }

    public static void main(String[] args) throws Exception {
        JsonNode root = MAPPER.readTree(new File(args[0]));
        for (JsonNode c : root.get("cases")) {
            String key = c.get("key").asText();
            if (!args[1].equals("all") && !args[1].equals(key)) {
                continue;
            }
            Case made = make(c, root.get("records").get(c.get("on").asText()), args[4]);
            measure(made.op, Long.parseLong(args[2]));
            System.gc();
            ObjectNode line = measure(made.op, Long.parseLong(args[3]));
            line.put("key", key);
            ArrayNode output = line.putArray("output");
            made.output.forEach(output::add);
            System.out.println(MAPPER.writeValueAsString(line));
        }
    }

    static ObjectNode measure(Op op, long millis) {
        OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long records = 0;
        long cpu = process.getProcessCpuTime();
        long threadCpu = threads.getCurrentThreadCpuTime();
        long bytes = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        long begin = System.nanoTime();
        long look = begin;
        long now;
        // Time of this thread: a machine that is busy shortens nothing.
        do {
            look += LOOK;
            do {
                round(op);
                records += ROUND;
                now = System.nanoTime();
            } while (now < look);
        } while (threads.getCurrentThreadCpuTime() - threadCpu < millis * 1_000_000);
        ObjectNode line = MAPPER.createObjectNode();
        line.put("cpuSeconds", (process.getProcessCpuTime() - cpu) / 1e9);
        line.put("threadSeconds", (threads.getCurrentThreadCpuTime() - threadCpu) / 1e9);
        line.put("bytes", threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - bytes);
        line.put("seconds", (now - begin) / 1e9);
        line.put("records", records);
        return line;
    }

    static void round(Op op) {
        for (int i = 0; i < ROUND; i++) {
            sink = op.call(i);
        }
    }

    static Case make(JsonNode c, JsonNode record, String registry) throws Exception {
        Map<String, String> config = new HashMap<>();
        c.get("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
        boolean standIn = c.has("javaClass");
        if (standIn) {
            config.put("schema.registry.url", registry);
        }
        Object it = Class.forName(c.get(standIn ? "javaClass" : "class").asText()).getDeclaredConstructor().newInstance();
        SourceRecord in = record(record);
        String topic = in.topic();
        Case out = new Case();
        switch (c.get("kind").asText()) {
            case "transform": {
                @SuppressWarnings("unchecked")
                Transformation<SourceRecord> t = (Transformation<SourceRecord>) it;
                t.configure(config);
                out.op = i -> t.apply(in);
                describe(t.apply(in), out.output);
                break;
            }
            case "predicate": {
                @SuppressWarnings("unchecked")
                Predicate<SourceRecord> p = (Predicate<SourceRecord>) it;
                p.configure(config);
                out.op = i -> p.test(in) ? Boolean.TRUE : Boolean.FALSE;
                out.output.add("" + p.test(in));
                break;
            }
            case "fromConnect": {
                Converter k = (Converter) it;
                k.configure(config, false);
                out.op = i -> k.fromConnectData(topic, in.valueSchema(), in.value());
                out.output.add("bytes " + text(k.fromConnectData(topic, in.valueSchema(), in.value())));
                break;
            }
            case "toConnect": {
                Converter k = (Converter) it;
                k.configure(config, false);
                JsonNode envelope = record.get("value");
                JsonNode payload = envelope.get("payload");
                String body = payload.isTextual() ? payload.asText()
                        : "true".equals(config.get("schemas.enable")) ? envelope.toString() : payload.toString();
                byte[] bytes = standIn ? k.fromConnectData(topic, in.valueSchema(), in.value()) : body.getBytes(StandardCharsets.UTF_8);
                out.op = i -> k.toConnectData(topic, bytes);
                out.output.add(describe("value", k.toConnectData(topic, bytes)));
                break;
            }
            case "fromConnectHeader": {
                HeaderConverter k = (HeaderConverter) it;
                k.configure(config);
                List<Header> list = new ArrayList<>();
                in.headers().forEach(list::add);
                Header[] headers = list.toArray(new Header[0]);
                out.op = i -> {
                    Header h = headers[i % headers.length];
                    return k.fromConnectHeader(topic, h.key(), h.schema(), h.value());
                };
                for (Header h : headers) {
                    out.output.add("bytes " + text(k.fromConnectHeader(topic, h.key(), h.schema(), h.value())));
                }
                break;
            }
            case "toConnectHeader": {
                HeaderConverter k = (HeaderConverter) it;
                k.configure(config);
                List<byte[]> list = new ArrayList<>();
                for (Header h : in.headers()) {
                    list.add(k.fromConnectHeader(topic, h.key(), h.schema(), h.value()));
                }
                byte[][] bodies = list.toArray(new byte[0][]);
                out.op = i -> k.toConnectHeader(topic, "h", bodies[i % bodies.length]);
                for (byte[] b : bodies) {
                    out.output.add(describe("value", k.toConnectHeader(topic, "h", b)));
                }
                break;
            }
            default:
                throw new IllegalArgumentException("no kind " + c.get("kind"));
        }
        return out;
    }

    static SourceRecord record(JsonNode r) {
        String topic = r.get("topic").asText();
        SchemaAndValue key = data(r.get("key"));
        SchemaAndValue value = data(r.get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode h : r.get("headers")) {
            headers.add(h.get("key").asText(), data(h.get("value")));
        }
        return new SourceRecord(Map.of("file", "orders"), Map.of("position", 1L), topic, 0, key.schema(), key.value(),
                value.schema(), value.value(), r.get("timestamp").asLong(), headers);
    }

    static JsonConverter json() {
        JsonConverter c = new JsonConverter();
        c.configure(Map.of("schemas.enable", "true"), false);
        return c;
    }

    static SchemaAndValue data(JsonNode envelope) {
        return TEXT.toConnectData("", envelope.toString().getBytes(StandardCharsets.UTF_8));
    }

    static String text(byte[] b) {
        if (b == null) {
            return "null";
        }
        boolean binary = b.length > 0 && b[0] == 0; // a registry's wire format
        return binary ? HexFormat.of().formatHex(b) : new String(b, StandardCharsets.UTF_8);
    }

    static String describe(String what, SchemaAndValue v) {
        return what + " " + text(TEXT.fromConnectData("", v.schema(), v.value()));
    }

    static void describe(SourceRecord r, List<String> out) {
        if (r == null) {
            out.add("dropped");
            return;
        }
        out.add("topic " + r.topic());
        out.add("timestamp " + r.timestamp());
        out.add(describe("key", new SchemaAndValue(r.keySchema(), r.key())));
        out.add(describe("value", new SchemaAndValue(r.valueSchema(), r.value())));
        for (Header h : r.headers()) {
            out.add(describe("header " + h.key(), new SchemaAndValue(h.schema(), h.value())));
        }
    }
}
