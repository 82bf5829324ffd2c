"""Many hosts: the waves, and the steps that each host goes through. One outcome per host."""
