"""One document, one transaction: steps, journal, undo. Cut anywhere, the host is old or new."""
