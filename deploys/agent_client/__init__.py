"""Talking to the agent on a host: how it is called and installed, and the record it keeps."""
