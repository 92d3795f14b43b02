"""From what the switch says to rows and transitions: folded, written in groups, published once."""
