"""A project whose objects are files: plans, kills and recovery can be rehearsed on it (README.md)."""
