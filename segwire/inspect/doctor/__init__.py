"""The checks of `segwire doctor`: each returns findings, and every failure says its remedy."""
