"""The health service: what a candidate has to show before its trial boot may be committed."""
