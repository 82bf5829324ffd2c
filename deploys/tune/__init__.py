"""One host: what it shows now, what is pending against its plan, and the document that changes it."""
