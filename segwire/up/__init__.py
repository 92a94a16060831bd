"""The supervisor: every service of the pipeline as a child process, and its live table."""
