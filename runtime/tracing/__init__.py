"""Traces: which way one message took, told to an OpenTelemetry collector. Nothing of it runs unless configured."""
