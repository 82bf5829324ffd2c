"""Dashboards from one model: boards of panels as values, Grafana's JSON and our own page rendered from them.

A panel names the metrics that it reads, so that a name which nobody exports is found before anyone looks at
an empty panel. `wall/` is our own page, which Prometheus itself serves beside its API.
"""
