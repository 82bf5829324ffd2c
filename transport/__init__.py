"""THE WAY: one strict OpenSSH client for every verb, pyinfra's connector, the checks and the lab."""
