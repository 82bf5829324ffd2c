"""AWS without AWS: a provider under Pulumi's engine that knows names, replacements and faults, no cloud."""
