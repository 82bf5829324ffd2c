"""The report can be read: white on its colours has a contrast of 4.5, and paper loses nothing."""

from __future__ import annotations

import re

import pytest

from checks.page import page_of
from checks.suite import HostResult
from checks.verdict import Finding, Verdict
from tests.support.checkout import ROOT

CSS = (ROOT / "checks" / "templates" / "page.css").read_text()
SCHEMES = [dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})", part)) for part in CSS.split("@media")[:2]]
UNDER_WHITE = ("ok", "bad", "unsure", "na", "hk", "irq", "ptp", "poll", "engine", "spare")
GROUNDS, TEXTS, SHAPES = ("paper", "back"), ("ink", "soft"), ("before",)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", UNDER_WHITE)
def test_white_can_be_read_on_every_colour(name: str, scheme: int) -> None:
    colours = SCHEMES[0] | SCHEMES[scheme]
    assert contrast("#fff", colours[name]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_its_paper(scheme: int) -> None:
    colours = SCHEMES[0] | SCHEMES[scheme]
    for text in TEXTS:
        for under in GROUNDS:
            assert contrast(colours[text], colours[under]) >= 4.5, (text, under)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_what_is_drawn_without_words_stands_out_from_its_paper(scheme: int) -> None:
    """WCAG 2.2, 1.4.11: three to one for a shape that says something."""
    colours = SCHEMES[0] | SCHEMES[scheme]
    for shape in (*SHAPES, "ok", "bad", "hk"):
        assert contrast(colours[shape], colours["paper"]) >= 3, shape


def test_every_colour_of_the_style_is_under_one_of_these_rules() -> None:
    """As the style uses it: what is a ground, what is text, and what only separates."""
    assert set(SCHEMES[0]) == {*UNDER_WHITE, *GROUNDS, *TEXTS, *SHAPES, "line"}
    used = set(re.findall(r"(?:background|fill):var\(--([a-z]+)\)", CSS))
    assert used <= {*UNDER_WHITE, *GROUNDS, *SHAPES, "soft"}
    assert set(re.findall(r"[ {]color:var\(--([a-z]+)\)", CSS)) <= set(TEXTS)
    assert re.findall(r"--(\w+):(#[0-9a-f]{4,5}\b|#[0-9a-f]{1,2}\b|[a-z]+)", CSS) == [], "colours are #rgb"


def test_a_narrow_page_has_a_style_of_its_own() -> None:
    assert "@media (max-width: 500px)" in CSS
    assert "overflow-x:auto" in CSS


def test_paper_shows_whole_columns() -> None:
    printed = CSS.split("@media print")[1]
    assert ".wrap { overflow:visible }" in printed
    assert "overflow-wrap:anywhere" in printed


def host(name: str, verdict: Verdict) -> HostResult:
    reason = "no_plan" if verdict is Verdict.UNVERIFIABLE else None
    found = Finding(check="x", verdict=verdict, reason=reason, message="m")
    return HostResult(host=name, started_at="2026-01-01T00:00:00+00:00", findings=(found,))


def test_the_page_says_how_it_came_to_be_and_leads_to_each_host_the_worst_first() -> None:
    results = [host("good", Verdict.OK), host("unknown", Verdict.UNVERIFIABLE)]
    results.append(HostResult(host="dark", started_at="", unreachable="no answer"))
    page = page_of(
        "s", results, {"hft": "0.1.0", "inventory": "/x/site.toml", "by": "alice@ops", "window": "20 s"}
    )
    for said in ("0.1.0", "/x/site.toml", "alice@ops", "20 s"):
        assert f"<code>{said}</code>" in page
    assert re.findall(r'<a href="#(\w+)">', page) == ["dark", "unknown", "good"]
    assert {"good", "unknown", "dark"} <= set(re.findall(r'<section id="(\w+)">', page))
