"""A standby of one site on AWS: the Pulumi program, its components, and how to run it (README.md)."""
