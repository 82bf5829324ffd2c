"""The trial boot on the host: menu, one-shot, watchdog, and what a boot means for an open trial."""
