import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Does with Java's clients what workers, tools and applications do, and prints what came of it. */
public class JavaClients {
    public static void main(String[] args) throws Exception {
        String broker = args[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker))) {
            NewTopic topic = new NewTopic("configs", 3, (short) 1).configs(Map.of("cleanup.policy", "compact"));
            CreateTopicsResult created = admin.createTopics(List.of(topic));
            created.all().get();
            // The configs in this answer are what CreateTopics version 5 and later send.
            TopicDescription d = admin.describeTopics(List.of("configs")).allTopicNames().get().get("configs");
            System.out.println("topic " + d.name() + " partitions " + d.partitions().size() + " leader " + d.partitions().get(0).leader().id());
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "configs");
            System.out.println("policy " + admin.describeConfigs(List.of(resource)).all().get().get(resource).get("cleanup.policy").value());
            admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("retention.ms", "1000000"), AlterConfigOp.OpType.SET)))).all().get();
            System.out.println("retention " + admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value());
            System.out.println("nodes " + admin.describeCluster().nodes().get().size());

            // The producer's metadata request creates the topic.
            try (KafkaProducer<String, String> p = producer(broker, Map.of())) {
                p.send(new ProducerRecord<>("lines", "k", "plain")).get();
            }
            System.out.println("created with " + admin.describeTopics(List.of("lines")).allTopicNames().get().get("lines").partitions().size());

            try (KafkaProducer<String, String> p = producer(broker, Map.of("transactional.id", "x"))) {
                p.initTransactions();
                p.beginTransaction();
                p.send(new ProducerRecord<>("lines", "k", "aborted"));
                p.flush();
                p.abortTransaction();
                p.beginTransaction();
                p.send(new ProducerRecord<>("lines", "k", "committed"));
                p.commitTransaction();
            }
            for (String protocol : List.of("classic", "consumer")) {
                System.out.println(protocol + " " + consume(broker, protocol));
            }
            List<String> groups = new ArrayList<>();
            admin.listConsumerGroups().all().get().forEach(g -> groups.add(g.groupId()));
            Collections.sort(groups);
            System.out.println("groups " + groups);
            admin.listConsumerGroupOffsets("g-classic").partitionsToOffsetAndMetadata().get()
                .forEach((tp, o) -> System.out.println("offset " + tp + " " + o.offset()));
            admin.deleteTopics(List.of("configs")).all().get();
            System.out.println("topics " + admin.listTopics().names().get());
        }
    }

    static KafkaProducer<String, String> producer(String broker, Map<String, Object> extra) {
        Map<String, Object> props = new HashMap<>(extra);
        props.put("bootstrap.servers", broker);
        return new KafkaProducer<>(props, new StringSerializer(), new StringSerializer());
    }

    static List<String> consume(String broker, String protocol) {
        Map<String, Object> props = new HashMap<>();
        props.put("bootstrap.servers", broker);
        props.put("group.id", "g-" + protocol);
        props.put("group.protocol", protocol);
        props.put("auto.offset.reset", "earliest");
        props.put("isolation.level", "read_committed");
        props.put("enable.auto.commit", "false");
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(props, new StringDeserializer(), new StringDeserializer())) {
            c.subscribe(Set.of("lines"));
            long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (values.size() < 2 && System.nanoTime() < end) {
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) {
                    values.add(r.value());
                }
            }
            c.commitSync();
        }
        return values;
    }
}
