"""Faults on purpose: what a drill does to a host. Only hft imports this room."""
