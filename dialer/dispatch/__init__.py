"""From a due contact to the frame on the wire: who is next, with what permit, by which node and gateway."""
