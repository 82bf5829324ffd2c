"""The engine's benchmarks: decode and book, sustained rate, latency above a relay, the gateway's hop."""
