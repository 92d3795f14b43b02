"""Dispatch: from a due contact to its originate at a node. Permit, claim, choice of gateway and node, send."""
