"""The HTTP endpoint: bytes in, durable, answered."""
