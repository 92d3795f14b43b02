"""Many machines, as far as one can say something of them."""
