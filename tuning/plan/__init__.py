"""The plan: profile, partition, one module per knob family, and the planner that composes them."""
