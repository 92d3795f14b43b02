"""What a dead dialer, a lost connection or a node that started again leaves behind, and how it is settled."""
