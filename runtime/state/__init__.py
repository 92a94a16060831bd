"""The local state: a store that is a cache of a compacted changelog."""
