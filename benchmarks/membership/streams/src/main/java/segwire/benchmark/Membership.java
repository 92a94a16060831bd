package segwire.benchmark;

import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Arguments: BROKER INPUT OUTPUT APPLICATION STATE_DIRECTORY COMMIT_MS CACHE. Tells of its restore on standard output. */
public final class Membership {
  private Membership() {}

  public static void main(String[] arguments) throws InterruptedException {
    StoreBuilder<KeyValueStore<String, User>> store =
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Apply.STORE), Serdes.String(), new User.Codec());
    store = Boolean.parseBoolean(arguments[6]) ? store.withCachingEnabled() : store.withCachingDisabled();
    Topology topology = new Topology();
    topology
        .addSource("input", new StringDeserializer(), new ByteArrayDeserializer(), arguments[1])
        .addProcessor("apply", Apply::new, "input")
        .addStateStore(store, "apply")
        .addSink("output", arguments[2], new StringSerializer(), new StringSerializer(), "apply");
    KafkaStreams streams = new KafkaStreams(topology, properties(arguments));
    streams.setGlobalStateRestoreListener(new Restore());
    streams.setStateListener((state, before) -> {
      if (state == KafkaStreams.State.RUNNING) {
        tell("running", 0);
      }
    });
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      stopped.countDown();
    }));
    streams.start();
    stopped.await();
  }

  private static Properties properties(String[] arguments) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[5]);
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    return properties;
  }

  private static void tell(String what, long records) {
    System.out.println("{\"told\":\"" + what + "\",\"at_ms\":" + System.currentTimeMillis() + ",\"records\":" + records + "}");
  }

  private static final class Restore implements StateRestoreListener {
    @Override
    public void onRestoreStart(TopicPartition partition, String store, long from, long to) {
      tell("restore-started", 0);
    }

    @Override
    public void onBatchRestored(TopicPartition partition, String store, long offset, long records) {}

    @Override
    public void onRestoreEnd(TopicPartition partition, String store, long records) {
      tell("restore-ended", records);
    }
  }
}
