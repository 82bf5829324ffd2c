"""DECIDE: whether a release may go on: the latency judge, signed documents, the rollout, freezes. No I/O."""
