"""A real schema registry as one child process: Apicurio Registry, pinned, on the embedded Kafka's Java runtime."""
