"""Looks into a running system: records, a user's history, dead letters, health. Reads alone, and changes nothing."""
