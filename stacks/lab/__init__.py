"""The Pulumi project `lab`: standby hosts of a lab, created from nothing, repaired, removed."""
