"""`hft release freeze`: published dates, clock changes, two exchanges, own rules; deny wins."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hft.cli import run_guarded
from hft.release_file import AHEAD_DAYS, ReleaseFile, load_release_file
from release.calendars import CALENDARS
from release.freeze import ACTIONS, Action, Freeze, Session, Window, around, freeze_at
from tests.support.hft_here import one_sentence

BOTH = 'site = "ny4"\nexchanges = ["XNYS", "XLON"]\n'
NEW_YORK = 'site = "ny4"\nexchanges = ["XNYS"]\n'
RULE = '[[rules]]\nname = "own"\nzone = "America/New_York"\n'


def made(tmp_path: Path, text: str) -> ReleaseFile:
    path = tmp_path / "release.toml"
    path.write_text(text)
    return load_release_file(path)


def asked(file: ReleaseFile, at: str, action: Action = "rollout") -> Freeze:
    moment = datetime.fromisoformat(at)
    at_s = int(moment.timestamp())
    reaches_s = at_s + AHEAD_DAYS * 86_400
    windows = file.windows(moment)
    return freeze_at(at_s, windows, reaches_s=reaches_s, needs_allow=file.needs_allow, action=action)


def until(found: Freeze) -> str:
    assert found.until_s is not None
    return datetime.fromtimestamp(found.until_s, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("at", "frozen", "ends"),
    [
        ("2026-11-25T14:29:59+00:00", False, "2026-11-25 14:30"),  # the session opens at 09:30 EST
        ("2026-11-25T14:30:00+00:00", True, "2026-11-25 21:00"),
        ("2026-11-25T20:59:59+00:00", True, "2026-11-25 21:00"),
        ("2026-11-25T21:00:00+00:00", False, "2026-11-27 14:30"),  # Thanksgiving has no session
        ("2026-11-26T16:00:00+00:00", False, "2026-11-27 14:30"),
        ("2026-11-27T17:59:59+00:00", True, "2026-11-27 18:00"),  # half day, 13:00 EST
        ("2026-11-27T18:00:00+00:00", False, "2026-11-30 14:30"),
        ("2026-12-24T18:30:00+00:00", False, "2026-12-28 14:30"),
        ("2026-07-03T15:00:00+00:00", False, "2026-07-06 13:30"),  # Independence Day, observed
        ("2027-06-18T15:00:00+00:00", False, "2027-06-21 13:30"),  # Juneteenth, observed
        ("2027-12-24T15:00:00+00:00", False, "2027-12-27 14:30"),
        ("2026-03-06T14:00:00+00:00", False, "2026-03-06 14:30"),  # Friday before the clocks change
        ("2026-03-09T13:29:59+00:00", False, "2026-03-09 13:30"),  # Monday after it
        ("2026-03-09T13:30:00+00:00", True, "2026-03-09 20:00"),
        ("2026-11-02T14:00:00+00:00", False, "2026-11-02 14:30"),  # and back
    ],
)
def test_sessions_holidays_and_half_days_of_new_york(
    tmp_path: Path, at: str, frozen: bool, ends: str
) -> None:
    found = asked(made(tmp_path, NEW_YORK), at)
    assert (found.is_frozen, until(found)) == (frozen, ends)


@pytest.mark.parametrize(
    ("at", "rules", "ends"),
    [
        ("2026-11-25T15:00:00+00:00", ("session of XNYS", "session of XLON"), "2026-11-25 21:00"),
        ("2026-11-25T09:00:00+00:00", ("session of XLON",), "2026-11-25 21:00"),  # they overlap
        ("2026-11-26T09:00:00+00:00", ("session of XLON",), "2026-11-26 16:30"),  # New York is closed
        ("2026-05-04T14:00:00+00:00", ("session of XNYS",), "2026-05-04 20:00"),  # London is closed
        ("2026-12-24T12:00:00+00:00", ("session of XLON",), "2026-12-24 12:30"),  # half day in both
        ("2026-12-31T13:00:00+00:00", (), "2026-12-31 14:30"),  # half day in London alone
        # Two weeks in March: New York has changed its clocks, London has not, so the gap to 13:30 is shut.
        ("2026-03-16T13:45:00+00:00", ("session of XNYS", "session of XLON"), "2026-03-16 20:00"),
    ],
)
def test_two_exchanges_freeze_together(tmp_path: Path, at: str, rules: tuple[str, ...], ends: str) -> None:
    found = asked(made(tmp_path, BOTH), at)
    assert (found.rules, found.is_frozen, until(found)) == (rules, bool(rules), ends)


def test_margins_widen_each_session(tmp_path: Path) -> None:
    file = made(tmp_path, NEW_YORK + "before_open_minutes = 120\nafter_close_minutes = 15\n")
    assert until(asked(file, "2026-11-25T08:00:00+00:00")) == "2026-11-25 12:30"
    assert until(asked(file, "2026-11-25T12:30:00+00:00")) == "2026-11-25 21:15"
    with pytest.raises(ValueError, match="margin"):
        around([Session(exchange="XNYS", opens_s=10, closes_s=20)], -1, 0)


def test_a_day_of_which_no_calendar_is_known_is_frozen_and_no_end_is_made_up(tmp_path: Path) -> None:
    found = asked(made(tmp_path, BOTH), "2027-01-04T06:00:00+00:00")
    assert found.is_frozen and found.code == "deny" and found.until_s is None
    assert found.rules == ("no calendar of XLON outside 2026-01-01..2026-12-31",)
    assert asked(made(tmp_path, BOTH), "2026-12-31T23:30:00+00:00").is_frozen is False
    assert asked(made(tmp_path, BOTH), "2027-01-01T00:00:00+00:00").is_frozen is True


def test_deny_wins_over_allow_and_outside_of_allow_it_is_frozen(tmp_path: Path) -> None:
    weekly = RULE + 'kind = "allow"\ndays = ["mon", "fri"]\ntimes = "08:00-18:00"\n'
    once = RULE.replace("own", "year end") + 'kind = "deny"\nfrom = "2026-12-25"\nuntil = "2026-12-26"\n'
    file = made(tmp_path, NEW_YORK + weekly + once)
    assert asked(file, "2026-11-30T12:00:00-05:00").rules == ("session of XNYS",)
    assert until(asked(file, "2026-11-30T17:00:00-05:00")) == "2026-11-30 23:00"
    outside = asked(file, "2026-11-30T19:00:00-05:00")
    assert (outside.is_frozen, outside.code, until(outside)) == (True, "outside_allowed", "2026-12-04 13:00")
    assert asked(file, "2026-12-25T12:00:00-05:00").rules == ("year end",)
    assert asked(file, "2026-12-28T08:30:00-05:00").rules == ("own",)


@pytest.mark.parametrize(
    ("kind", "times", "day", "spans"),
    [  # 2026-03-08: 02:00 to 03:00 does not exist; 2026-11-01: 01:00 to 02:00 comes twice
        ("deny", "02:30-04:00", "2026-03-08", ("2026-03-08 06:30", "2026-03-08 08:00")),
        ("allow", "02:30-04:00", "2026-03-08", ("2026-03-08 07:30", "2026-03-08 08:00")),
        ("deny", "00:30-01:30", "2026-11-01", ("2026-11-01 04:30", "2026-11-01 06:30")),
        ("allow", "00:30-01:30", "2026-11-01", ("2026-11-01 04:30", "2026-11-01 05:30")),
        ("deny", "23:00-01:00", "2026-11-29", ("2026-11-30 04:00", "2026-11-30 06:00")),  # over midnight
    ],
)
def test_a_clock_change_makes_a_deny_longer_and_an_allow_shorter(
    tmp_path: Path, kind: str, times: str, day: str, spans: tuple[str, str]
) -> None:
    text = f'site = "ny4"\nexchanges = []\n{RULE}kind = "{kind}"\ndays = ["sun"]\ntimes = "{times}"\n'
    windows = made(tmp_path, text).windows(datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    want = [int(datetime.fromisoformat(f"{one}+00:00").timestamp()) for one in spans]
    assert want in [[one.starts_s, one.ends_s] for one in windows]


@pytest.mark.parametrize("action", ACTIONS)
def test_rollback_failover_and_kill_always_pass(action: Action) -> None:
    deny = Window(rule="all", kind="deny", starts_s=0, ends_s=100)
    found = freeze_at(50, [deny], reaches_s=200, needs_allow=True, action=action)
    assert found.is_frozen is (action == "rollout")


def test_every_calendar_has_only_days_that_would_be_sessions() -> None:
    for one in CALENDARS.values():
        days = [*one.holidays, *one.half_days]
        assert all(day.weekday() < 5 and one.known_from <= day <= one.known_to for day in days), one.mic
        assert not one.holidays & one.half_days.keys()
        with pytest.raises(KeyError):
            one.closes_on(date(2030, 1, 1))


def test_the_command_ends_with_2_when_frozen_and_with_0_when_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, NEW_YORK)
    words = [
        "release",
        "freeze",
        "--file",
        str(tmp_path / "release.toml"),
        "--at",
        "2026-11-27T12:00:00-05:00",
    ]
    assert run_guarded([*words, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["frozen"], found["until"]) == (True, "2026-11-27T18:00:00+00:00")
    assert run_guarded([*words, "--for", "rollback"]) == 0
    assert "a rollback is never frozen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('site = "a"\nexchanges = ["XNYC"]\n', "did you mean 'XNYS'?"),
        ('site = "a"\nexchanges = []\n', "never freeze"),
        (NEW_YORK + RULE + 'kind = "maybe"\nfrom = "2026-12-25"\nuntil = "2026-12-26"\n', "deny or allow"),
        (NEW_YORK + RULE + 'kind = "deny"\nfrom = "2026-12-25"\n', "from and until, or days and times"),
        (NEW_YORK + RULE + 'kind = "deny"\nfrom = "2026-12-26"\nuntil = "2026-12-25"\n', "before until"),
        (NEW_YORK + RULE + 'kind = "deny"\ndays = ["sunday"]\ntimes = "1-2"\n', "'sunday'"),
        (NEW_YORK + RULE + 'kind = "deny"\ndays = ["sun"]\ntimes = "noon"\n', "no date or time"),
        (NEW_YORK + '[[rules]]\nname = "x"\nkind = "deny"\nzone = "Mars"\ndays = ["sun"]\n'
         'times = "01:00-02:00"\n', "no time zone"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "release.toml"
    path.write_text(text)
    assert said in one_sentence(capsys, "release", "freeze", "--file", path)
    assert "no time" in one_sentence(capsys, "release", "freeze", "--file", path, "--at", "noon")


def test_a_calendar_of_the_file_stands_for_the_built_in_one(tmp_path: Path) -> None:
    own = (
        '[calendars.XLON]\nzone = "Europe/London"\nopens = "08:00"\ncloses = "16:30"\n'
        'known_from = "2027-01-01"\nknown_to = "2027-12-31"\nholidays = ["2027-01-01"]\n'
        'half_days = { "2027-12-24" = "12:30" }\n'
    )
    file = made(tmp_path, 'site = "a"\nexchanges = ["XLON"]\n' + own)
    assert asked(file, "2027-01-01T10:00:00+00:00").is_frozen is False
    assert until(asked(file, "2027-12-24T10:00:00+00:00")) == "2027-12-24 12:30"
