"""Errors of the suite: an artifact that cannot be judged, and an engine that broke a clause."""

from __future__ import annotations


class ArtifactError(Exception):
    """The input is not an artifact that can be judged; one sentence."""


class Broken(Exception):  # noqa: N818  # a verdict, not an error
    """The engine broke the clause; one sentence with what was observed."""
