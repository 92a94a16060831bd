"""The membership and its changes as tables of a PostgreSQL database. Source: interfaces, section 5."""
