"""What processes agree on through Redis: who is alive, what they ask of each other, and how a script is run."""
