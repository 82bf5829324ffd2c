"""How the agent is built, sent to a host and put in place there."""
