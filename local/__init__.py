"""Single-machine stack: embedded PostgreSQL and Valkey, simulated nodes, the process that owns them."""
