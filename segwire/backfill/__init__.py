"""The present membership delivered to a sink once more, while live changes go on."""
