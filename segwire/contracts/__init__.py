"""The contracts as documents that other tools read: AsyncAPI, OpenAPI, Strimzi resources."""
