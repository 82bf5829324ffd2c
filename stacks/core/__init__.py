"""What a stack decides before any engine runs: configuration, size, machine, rules. Pure, no Pulumi."""
