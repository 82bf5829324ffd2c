"""Errors of the suite: an artifact that cannot be judged, and an engine that broke a clause."""

from __future__ import annotations


class ArtifactError(Exception):
    """What was given is not an artifact that can be judged; one sentence."""


class Broken(Exception):  # noqa: N818  # a verdict, not an error
    """The engine did not do what the clause says; one sentence with what was seen."""
