package segwire.benchmark;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** A user's memberships at one destination, in arrays, stored as one compact binary value. */
final class User {
  int size;
  String[] segments = new String[16];
  boolean[] active = new boolean[16];
  long[] verifiedAt = new long[16];
  int[] versions = new int[16];

  int find(String segment) {
    for (int i = 0; i < size; i++) {
      if (segments[i].equals(segment)) {
        return i;
      }
    }
    return -1;
  }

  int add(String segment) {
    if (size == segments.length) {
      segments = Arrays.copyOf(segments, size * 2);
      active = Arrays.copyOf(active, size * 2);
      verifiedAt = Arrays.copyOf(verifiedAt, size * 2);
      versions = Arrays.copyOf(versions, size * 2);
    }
    segments[size] = segment;
    return size++;
  }

  /** Two bytes of count; per segment its ID with a length, status, time and version. */
  static final class Codec implements Serde<User>, Serializer<User>, Deserializer<User> {
    @Override
    public Serializer<User> serializer() {
      return this;
    }

    @Override
    public Deserializer<User> deserializer() {
      return this;
    }

    @Override
    public void configure(java.util.Map<String, ?> configs, boolean isKey) {}

    @Override
    public void close() {}

    @Override
    public byte[] serialize(String topic, User user) {
      if (user == null) {
        return null;
      }
      byte[][] ids = new byte[user.size][];
      int bytes = 2;
      for (int i = 0; i < user.size; i++) {
        ids[i] = user.segments[i].getBytes(StandardCharsets.UTF_8);
        bytes += 2 + ids[i].length + 1 + 8 + 4;
      }
      ByteBuffer out = ByteBuffer.allocate(bytes).putShort((short) user.size);
      for (int i = 0; i < user.size; i++) {
        out.putShort((short) ids[i].length).put(ids[i]).put((byte) (user.active[i] ? 1 : 0));
        out.putLong(user.verifiedAt[i]).putInt(user.versions[i]);
      }
      return out.array();
    }

    @Override
    public User deserialize(String topic, byte[] stored) {
      if (stored == null) {
        return null;
      }
      ByteBuffer in = ByteBuffer.wrap(stored);
      int count = in.getShort();
      User user = new User();
      for (int i = 0; i < count; i++) {
        int length = in.getShort();
        user.add(new String(stored, in.position(), length, StandardCharsets.UTF_8));
        in.position(in.position() + length);
        user.active[i] = in.get() == 1;
        user.verifiedAt[i] = in.getLong();
        user.versions[i] = in.getInt();
      }
      return user;
    }
  }
}
