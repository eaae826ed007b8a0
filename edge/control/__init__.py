"""How operators see and steer running nodes: over the store, whatever host they sit at."""
