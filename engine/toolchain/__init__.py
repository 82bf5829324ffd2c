"""How the native engine is built, and how its load reports are read."""
