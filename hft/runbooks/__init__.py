"""READ and ACT of failover: asks gateways and engines by their admin sockets, here or over SSH."""
