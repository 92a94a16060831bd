"""A real PostgreSQL from a package, as a child process."""
