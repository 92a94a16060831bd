"""The ingest endpoint beside what a user would write or run instead. See `benchmarks/README.md`."""
