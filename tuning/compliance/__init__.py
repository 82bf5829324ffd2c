"""Whether a plan holds: on the command line, live, and what else works against low latency."""
