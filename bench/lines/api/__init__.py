"""How fast the API answers, and what it does to others meanwhile."""
