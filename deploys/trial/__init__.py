"""The controller's half of a trial boot."""
