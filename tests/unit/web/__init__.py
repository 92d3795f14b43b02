"""What the board says, without asking anybody."""
