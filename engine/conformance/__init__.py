"""The conformance suite: start an artifact against a gateway, venue and feed of the suite's own, and judge
it.

What is judged is what leaves the process: frames at the gateway, files, exit codes, notifications. The
gateway and venue here are the suite's observer and stay so beside the real ones: a case must withhold an
answer, refuse one CLAIM, drop one connection, or look at the journal in the moment an order arrives, and a
stranger must be able to run the suite without our C++.
"""
