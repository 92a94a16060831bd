"""The sample messages that `--demo` plays."""
