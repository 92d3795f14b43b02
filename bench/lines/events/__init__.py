"""What a node says, read and recorded."""
