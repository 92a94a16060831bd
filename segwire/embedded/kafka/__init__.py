"""A real Apache Kafka as one child process: pinned artifacts, a Java runtime from a wheel, one KRaft node."""
