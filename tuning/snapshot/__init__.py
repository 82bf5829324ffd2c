"""What was captured from a host, as text by path."""
