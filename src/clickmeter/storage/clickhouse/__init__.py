"""Raw events in ClickHouse, a server or chDB in-process, stored exactly once and counted in SQL."""
