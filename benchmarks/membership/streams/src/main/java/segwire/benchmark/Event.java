package segwire.benchmark;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;

/** What the job needs of a segment event, in arrays; read with Jackson's streaming parser, which is its quickest. */
final class Event {
  private static final JsonFactory JSON = new JsonFactory();

  String user;
  String client;
  String destination;
  int size;
  String[] segments = new String[16];
  boolean[] active = new boolean[16];
  long[] verifiedAt = new long[16];

  static Event parse(byte[] json) {
    Event event = new Event();
    try (JsonParser parser = JSON.createParser(json)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String field = parser.currentName();
        parser.nextToken();
        switch (field) {
          case "aam_uuid" -> event.user = parser.getText();
          case "client_id" -> event.client = parser.getText();
          case "destination_id" -> event.destination = parser.getText();
          case "segments" -> event.readSegments(parser);
          default -> parser.skipChildren();
        }
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return event;
  }

  private void readSegments(JsonParser parser) throws IOException {
    while (parser.nextToken() == JsonToken.START_OBJECT) {
      if (size == segments.length) {
        segments = Arrays.copyOf(segments, size * 2);
        active = Arrays.copyOf(active, size * 2);
        verifiedAt = Arrays.copyOf(verifiedAt, size * 2);
      }
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String field = parser.currentName();
        parser.nextToken();
        switch (field) {
          case "segment_id" -> segments[size] = parser.getText();
          case "status" -> active[size] = parser.getText().equals("ACTIVE");
          case "verified_at" -> verifiedAt[size] = parser.getLongValue();
          default -> parser.skipChildren();
        }
      }
      size++;
    }
  }
}
