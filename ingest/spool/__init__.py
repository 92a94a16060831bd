"""The spool: what could not be handed to Kafka in time, kept on disk until it is. Begin at `ingest.spool.spool`."""
