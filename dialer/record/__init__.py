"""Recording: node events to rows and transitions, written in groups, published after the commit."""
