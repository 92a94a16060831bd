"""The membership processor beside Kafka Streams and Quix Streams: the same bytes, the same job, one run."""
