"""The runner around Pulumi's engine: what the engine leaves open when a run is cut off."""
