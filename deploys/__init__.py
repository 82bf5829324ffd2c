"""ACT: thin pyinfra around one transaction document, and the controller's half of the trial boot."""
