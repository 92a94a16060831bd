package segwire.benchmark;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Last writer wins per segment; a row for each segment whose status changed. At equal times INACTIVE wins. */
final class Apply implements Processor<String, byte[], String, String> {
  static final String STORE = "membership";

  private ProcessorContext<String, String> context;
  private KeyValueStore<String, User> store;

  @Override
  public void init(ProcessorContext<String, String> context) {
    this.context = context;
    this.store = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    Event event = Event.parse(record.value());
    String key = event.user + '|' + event.client + '|' + event.destination;
    String prefix = null;
    User user = store.get(key);
    if (user == null) {
      user = new User();
    }
    boolean changed = false;
    for (int said = 0; said < event.size; said++) {
      String segment = event.segments[said];
      boolean active = event.active[said];
      long verifiedAt = event.verifiedAt[said];
      int at = user.find(segment);
      boolean told;
      if (at < 0) {
        at = user.add(segment);
        told = true;
      } else if (verifiedAt > user.verifiedAt[at]
          || verifiedAt == user.verifiedAt[at] && !active && user.active[at]) {
        told = active != user.active[at];
      } else {
        continue;
      }
      changed = true;
      user.active[at] = active;
      user.verifiedAt[at] = verifiedAt;
      if (told) {
        int version = ++user.versions[at];
        if (prefix == null) {
          prefix = event.client + '|' + event.destination + '|' + event.user + '|';
        }
        String row = "{\"status\":\"" + (active ? "ACTIVE" : "INACTIVE") + "\",\"verified_at\":" + verifiedAt
            + ",\"version\":" + version + '}';
        context.forward(new Record<>(prefix + segment, row, record.timestamp()));
      }
    }
    if (changed) {
      store.put(key, user);
    }
  }
}
