"""Kafka clients: configuration, topics, transactions."""
