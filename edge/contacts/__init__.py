"""People called: what an operator records of them, and the key that keeps their numbers to themselves."""
