"""One file: the default engine."""
