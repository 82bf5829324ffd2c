"""The judge of clocks over recorded answers with one thing changed: each fault has its own reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.clock.evidence import line_of, locked_at, span_of
from checks.clock.facts import NS, ClockFacts, parse_facts, parse_source
from checks.clock.judge import Known, clock_findings, reading_of
from checks.clock.leap import tai_utc_s
from checks.clock.pmc import parse_pmc
from checks.errors import CheckError
from checks.verdict import Verdict, worst
from inventory.model import PtpEntry

# linuxptp 3.1.1, a client behind a grandmaster that vouches for UTC.
PMC = """\
sending: GET PARENT_DATA_SET
\tba9ee4.fffe.145f05-0 seq 1 RESPONSE MANAGEMENT PARENT_DATA_SET\x20
\t\tparentPortIdentity                    caa764.fffe.466cc5-1
\t\tgm.ClockClass                         6
\t\tgm.ClockAccuracy                      0x21
\t\tgrandmasterIdentity                   caa764.fffe.466cc5
\tba9ee4.fffe.145f05-1 seq 2 RESPONSE MANAGEMENT PORT_DATA_SET\x20
\t\tportIdentity            ba9ee4.fffe.145f05-1
\t\tportState               SLAVE
\tba9ee4.fffe.145f05-0 seq 3 RESPONSE MANAGEMENT TIME_PROPERTIES_DATA_SET\x20
\t\tcurrentUtcOffset      37
\t\tleap61                0
\t\tleap59                0
\t\tcurrentUtcOffsetValid 1
\t\tptpTimescale          1
\t\ttimeTraceable         1
\t\tfrequencyTraceable    1
\t\ttimeSource            0x20
\tba9ee4.fffe.145f05-0 seq 4 RESPONSE MANAGEMENT DEFAULT_DATA_SET\x20
\t\tdomainNumber            24
\tba9ee4.fffe.145f05-0 seq 0 RESPONSE MANAGEMENT CURRENT_DATA_SET\x20
\t\tstepsRemoved     1
\t\toffsetFromMaster -471.0
\t\tmeanPathDelay    2104.0
\tba9ee4.fffe.145f05-0 seq 1 RESPONSE MANAGEMENT TIME_STATUS_NP\x20
\t\tmaster_offset              -471
\t\tingress_time               1796133340360605398
\t\tgmPresent                  true
\t\tgmIdentity                 caa764.fffe.466cc5
"""
WATCH = "^,?,192.0.2.9,1,2,377,1,-0.000000688,-0.000000688,0.000001400"
STEERS, ASKS = "0000000002000000", "0000000000000000"
PROCESSES = f"11 /usr/sbin/ptp4l {ASKS}\n12 /usr/sbin/phc2sys {STEERS}\n13 /usr/sbin/chronyd {ASKS}"
ENTRY = PtpEntry(port="ens1f0", role="client", domain=24, watch=("192.0.2.9",))
KNOWN = Known(tai_utc_s=37)


def answer(pmc: str = PMC, watch: str = WATCH, processes: str = PROCESSES, grain: str = "1 nsecs") -> str:
    return (
        f"@m pmc\n{pmc}@m watch\n{watch}\n@m processes\n{processes}\n@m granularity\n .resolution: {grain}\n"
        "@m time\n1796133341000000000\n@m end\n"
    )


def facts(**parts: str) -> ClockFacts:
    return parse_facts(answer(**parts), "@m")


def judged(entry: PtpEntry = ENTRY, known: Known = KNOWN, **parts: str) -> dict[str, str]:
    """Check -> reason of every finding that is not ok."""
    found = clock_findings(entry, facts(**parts), known)
    return {one.check: str(one.reason) for one in found if one.verdict is not Verdict.OK}


def changed(key: str, value: str) -> str:
    line = next(line for line in PMC.splitlines() if line.strip().split()[:1] == [key])
    return PMC.replace(line, f"\t\t{key} {value}")


def test_a_clock_that_is_right_is_right_in_everything() -> None:
    found = clock_findings(ENTRY, facts(), KNOWN)
    assert judged() == {} and worst(found) is Verdict.OK
    assert {one.check.removeprefix("clock.") for one in found} == {
        *("daemon", "grandmaster", "servo", "offset", "traceability", "utc_offset", "watch", "writer"),
        "granularity",
    }


@pytest.mark.parametrize(
    ("parts", "check", "reason"),
    [
        ({"pmc": ""}, "daemon", "clock_domain"),
        ({"pmc": "", "processes": f"12 /usr/sbin/phc2sys {STEERS}"}, "daemon", "clock_no_daemon"),
        ({"pmc": changed("gmPresent", "false")}, "grandmaster", "clock_no_grandmaster"),
        ({"pmc": changed("portState", "LISTENING")}, "grandmaster", "clock_no_grandmaster"),
        ({"pmc": changed("ingress_time", "0")}, "grandmaster", "clock_no_grandmaster"),
        ({"pmc": changed("portState", "UNCALIBRATED")}, "servo", "clock_not_locked"),
        ({"pmc": changed("meanPathDelay", "99900.0")}, "offset", "clock_offset"),
        ({"pmc": changed("timeTraceable", "0")}, "traceability", "clock_untraceable"),
        ({"pmc": changed("currentUtcOffset", "36")}, "utc_offset", "clock_utc_offset"),
        ({"pmc": changed("currentUtcOffsetValid", "0")}, "utc_offset", "clock_utc_offset_unknown"),
        ({"pmc": changed("ptpTimescale", "0")}, "utc_offset", "clock_own_timescale"),
        ({"watch": ""}, "watch", "clock_watch_silent"),
        ({"watch": WATCH.replace(",377,", ",0,")}, "watch", "clock_watch_silent"),
        ({"watch": WATCH.replace(",377,1,", ",377,65,")}, "watch", "clock_watch_silent"),
        ({"watch": WATCH.replace("-0.000000688", "0.001000000")}, "watch", "clock_watch_disagrees"),
        ({"watch": WATCH.replace("0.000001400", "0.000200000")}, "watch", "clock_watch_coarse"),
        ({"processes": PROCESSES.replace(STEERS, ASKS)}, "writer", "clock_writers"),
        ({"processes": PROCESSES.replace(ASKS, STEERS)}, "writer", "clock_writers"),
        ({"grain": "4000000 nsecs"}, "granularity", "clock_granularity"),
        ({"grain": "nothing"}, "granularity", "not_read"),
    ],
)
def test_each_fault_has_its_own_reason(parts: dict[str, Any], check: str, reason: str) -> None:
    assert judged(**parts) == {f"clock.{check}": reason}


def test_an_offset_far_away_is_told_by_both_and_a_stranger_by_its_name() -> None:
    far = changed("master_offset", "150000")
    assert judged(pmc=far) == {"clock.offset": "clock_offset", "clock.watch": "clock_watch_disagrees"}
    stranger = ENTRY.model_copy(update={"grandmasters": ("001b21.fffe.3a4b5c",)})
    assert judged(stranger) == {"clock.grandmaster": "clock_other_grandmaster"}
    assert judged(ENTRY.model_copy(update={"grandmasters": ("caa764.fffe.466cc5",)})) == {}


@pytest.mark.parametrize(
    ("ago_s", "verdict"), [(0, "unverifiable"), (60, "unverifiable"), (61, "violated"), (-1, "violated")]
)
def test_holdover_ends_and_a_lock_of_the_future_is_none(ago_s: int, verdict: str) -> None:
    seen = facts(pmc=changed("gmPresent", "false"))
    known = Known(locked_at_utc_ns=seen.at_utc_ns - ago_s * NS)
    found = {one.check: one for one in clock_findings(ENTRY, seen, known)}
    assert found["clock.grandmaster"].verdict == verdict


def test_a_grandmaster_and_a_boundary_clock_have_to_give_time() -> None:
    given_by = {"port": "e0", "role": "grandmaster", "sources": ("192.0.2.1",), "watch": ("192.0.2.9",)}
    gives = changed("portState", "MASTER")
    source = PtpEntry.model_validate({**given_by, "domain": 24})
    assert judged(source, pmc=gives) == {}
    assert judged(source) == {"clock.serves": "clock_not_serving"}
    boundary = ENTRY.model_copy(update={"role": "boundary", "serves": ("e1",)})
    assert judged(boundary) == {"clock.serves": "clock_not_serving"}
    other = PMC.replace("145f05-1 seq 2", "145f05-2 seq 2").replace("145f05-1\n", "145f05-2\n")
    assert judged(boundary, pmc=PMC + other.replace("SLAVE", "MASTER")) == {}


def test_the_worst_of_several_offsets_counts_and_one_without_a_grandmaster_ends_it() -> None:
    last = PMC[PMC.index("\tba9ee4.fffe.145f05-0 seq 1 RESPONSE MANAGEMENT TIME_STATUS_NP") :]
    seen = facts(pmc=PMC + last.replace("-471", "9000"))
    reading = reading_of(seen.ptp)
    assert reading is not None and (reading.offset_ns, reading.samples) == (9000, 2)
    assert reading_of(facts(pmc=PMC + last.replace("true", "false")).ptp) is None


def test_an_answer_that_is_cut_off_is_none() -> None:
    whole = answer()
    for cut in range(0, len(whole) - len("@m end\n"), 37):
        with pytest.raises(CheckError):
            parse_facts(whole[:cut], "@m")
    with pytest.raises(CheckError, match="meanPathDelay"):
        facts(pmc=changed("meanPathDelay", "nan"))
    with pytest.raises(CheckError, match="no source"):
        facts(watch="506 Cannot talk to daemon")


@given(st.text(max_size=300))
def test_no_text_of_pmc_is_anything_but_an_answer_or_an_error(text: str) -> None:
    try:
        found = parse_pmc(text)
    except CheckError:
        return
    assert found.parent is None or found.parent.grandmaster in text


@given(st.data())
def test_no_damaged_answer_is_better_than_the_whole_one(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(PMC) - 1))
    damaged = PMC[:at] + data.draw(st.sampled_from(["", "\n", "\t", "x", "-", "0", "\0"])) + PMC[at + 1 :]
    try:
        found = parse_pmc(damaged)
    except CheckError:
        return
    assert len(found.statuses) <= 1 and len(found.ports) <= 1


@given(st.text(alphabet=",^?0123456789.-+abc", max_size=90))
def test_no_text_of_chronyc_is_anything_but_a_source_or_an_error(text: str) -> None:
    try:
        source = parse_source(text)
    except CheckError:
        return
    assert source.error_ns < 10**22 and source.reach >= 0


def test_a_span_of_looks_proves_what_was_looked_at() -> None:
    good = line_of("e1", ENTRY, facts(), clock_findings(ENTRY, facts(), KNOWN))
    assert (good["offset_ns"], good["error_ns"], good["limit_ns"]) == (-471, 2575, 100_000)
    assert (good["is_traceable"], good["tai_utc_s"], good["granularity_ns"]) == (True, 37, 1)
    later = {**good, "at_utc_ns": good["at_utc_ns"] + 90 * NS, "error_ns": 4000}
    span = span_of([good, later])
    assert (span.verdict, span.looks, span.gap_s, span.worst_ns) == (Verdict.OK, 2, 90.0, 4000)
    lost = facts(pmc=changed("gmPresent", "false"))
    bad = line_of("e1", ENTRY, lost, clock_findings(ENTRY, lost, KNOWN))
    assert bad["offset_ns"] is None and bad["grandmaster"] is None
    assert span_of([good, bad]).verdict is Verdict.VIOLATED
    held = line_of("e1", ENTRY, lost, clock_findings(ENTRY, lost, Known(locked_at_utc_ns=lost.at_utc_ns)))
    assert span_of([good, held]).verdict is Verdict.UNVERIFIABLE
    assert span_of([]).verdict is Verdict.UNVERIFIABLE
    assert locked_at([good, bad]) == good["at_utc_ns"] and locked_at([bad]) is None


def test_the_watchdogs_best_server_decides_and_an_old_sample_does_not() -> None:
    far = "^,?,192.0.2.8,1,2,377,1,0.004000000,0.004000000,0.009000000"
    assert judged(watch=f"{far}\n{WATCH}") == {}
    old = replace(facts(), watch=tuple(replace(one, age_s=900) for one in facts().watch or ()))
    assert "clock_watch_silent" in {one.reason for one in clock_findings(ENTRY, old, KNOWN)}


def test_tai_minus_utc_is_the_tables_until_it_expires() -> None:
    table = "#@\t3991593600\n2272060800\t10\t# 1 Jan 1972\n3692217600\t37\t# 1 Jan 2017\n"
    assert tai_utc_s(table, 1_700_000_000) == 37 and tai_utc_s(table, 1_400_000_000) == 10
    assert tai_utc_s(table, 1_800_000_000) is None and tai_utc_s("3692217600 37\n", 1_700_000_000) is None
