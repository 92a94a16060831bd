"""The only code that knows librdkafka, the state store, signals and the wall clock."""
