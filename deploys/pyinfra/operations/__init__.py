"""pyinfra operations: one for each concern, and the one that sends what they gathered."""
