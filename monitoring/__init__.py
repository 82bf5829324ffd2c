"""MONITORING: metrics, alert rules, routing and dashboards as data, and the documents rendered from them.

One registry names every metric once; rules, their tests, routing, dashboards and docs/alerts.md are made from
it, so that no name, threshold or label is typed twice. Values in, documents out: no I/O here. Failover never
waits for any of this.
"""
