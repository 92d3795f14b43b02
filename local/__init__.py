"""What a laptop lacks: embedded PostgreSQL and Valkey, the simulated cluster, the process that owns them."""
