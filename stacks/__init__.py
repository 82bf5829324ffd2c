"""Pulumi programs, and the runner around Pulumi's engine (docs/stacks.md)."""
