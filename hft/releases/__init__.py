"""READ and ACT of a release's rollout: its file, where it stands, what is seen, who shall trade."""
