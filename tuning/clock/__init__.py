"""Where a host's time comes from: what a person asked for, and the daemons and files that follow. Pure."""
