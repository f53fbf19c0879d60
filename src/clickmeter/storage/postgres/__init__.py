"""One database, any number of servers: PostgreSQL 14 or newer."""
