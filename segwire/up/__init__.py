"""The whole pipeline on this machine: a supervisor and its live table."""
