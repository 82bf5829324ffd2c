"""Whether a host's time holds: by pmc's and chronyc's answers, and the rights of what runs. Pure."""
