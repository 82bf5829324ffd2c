"""A host's clock, brought to it: the files of its daemons and their units."""
