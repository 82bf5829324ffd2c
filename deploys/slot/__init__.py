"""Deploying an engine: an artifact, its place on a host, and everything around it, as one transaction.

READ the artifact and the host, DECIDE placement, unit and configuration (pure, refusals with a sentence), ACT
in one round trip. Nothing here knows our own engine: the manifest says what an engine needs.
"""
