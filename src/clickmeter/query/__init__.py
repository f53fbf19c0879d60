"""What may be asked of a report: the language, parsed and validated; no I/O."""
