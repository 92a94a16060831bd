"""The schema registry: what is registered there, and which IDs the records carry."""
