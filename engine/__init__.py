"""PAYLOAD: what the bundle deploys; for now the engine stand-in."""
