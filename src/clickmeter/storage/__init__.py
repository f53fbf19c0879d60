"""Where events and properties are kept: one protocol, one folder per engine."""
