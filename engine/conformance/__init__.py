"""The conformance suite: run an artifact against the suite's own gateway, venue and feed, and judge it.

It judges what leaves the process: frames at the gateway, files, exit codes, notifications. The gateway and
venue here are the suite's observer, separate from the real ones: a case must be able to withhold an answer,
refuse one CLAIM, drop one connection, or read the journal the moment an order arrives, and a third party must
be able to run the suite without our C++.
"""
