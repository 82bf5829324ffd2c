"""The collector: isolated CPUs, ports, memory, boots and engines of this host, as text for Prometheus.

Readers parse and return samples; one that cannot read its source raises and is named as unread: what was not
read is absent, never zero and never the last value.
"""
