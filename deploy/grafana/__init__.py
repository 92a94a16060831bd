"""Grafana dashboards as code, rendered to `dashboards/`."""
