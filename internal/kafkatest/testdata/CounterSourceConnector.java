package example;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** Counts into a topic, and goes on from its stored offset: a plugin that only Kafka Connect has. */
public class CounterSourceConnector extends SourceConnector {
    private Map<String, String> settings;

    @Override
    public String version() {
        return "1";
    }

    @Override
    public void start(Map<String, String> settings) {
        this.settings = settings;
    }

    @Override
    public void stop() {
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Counter.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int max) {
        return List.of(settings);
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef().define("topic", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Where the numbers go");
    }

    /** The one task. */
    public static class Counter extends SourceTask {
        private static final Map<String, String> PARTITION = Map.of("counter", "one");
        private String topic;
        private long next;

        @Override
        public String version() {
            return "1";
        }

        @Override
        public void start(Map<String, String> settings) {
            topic = settings.get("topic");
            Map<String, Object> offset = context.offsetStorageReader().offset(PARTITION);
            next = offset == null ? 0 : ((Number) offset.get("next")).longValue();
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            Thread.sleep(50);
            List<SourceRecord> out = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                String value = String.format("count %07d", next++);
                out.add(new SourceRecord(PARTITION, Map.of("next", next), topic, Schema.STRING_SCHEMA, value));
            }
            return out;
        }

        @Override
        public void stop() {
        }
    }
}
