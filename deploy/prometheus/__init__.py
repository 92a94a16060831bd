"""Alerts and objectives as Prometheus rules, rendered to `rules.yaml`."""
