"""WHO: sites, hosts, profiles, identities and the power protocol."""
