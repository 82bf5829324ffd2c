"""The rules of stacks/core as one policy pack for Pulumi's engine: `--policy-pack stacks/policy`."""
