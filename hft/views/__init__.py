"""What the verbs show: values in, lines out."""
