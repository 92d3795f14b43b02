"""Claims about speed and memory, measured."""
