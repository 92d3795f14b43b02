"""Recovery: what a dead dialer, a lost connection or a restarted node leaves behind, and how it is settled."""
