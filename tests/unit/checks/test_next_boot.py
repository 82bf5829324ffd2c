"""Which entry would boot next, and would it carry the plan: GRUB's rules, edit by edit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.boot import grub
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.grub_parse import parse
from checks.grub_script import WORLDS, Entry, Grub
from checks.next_boot import GRUB_CFG, GRUBENV, HFT_CFG, below, boots, chosen, environment, next_boot
from checks.verdict import Verdict
from tuning.snapshot.boot_menu import HOOK

Change = Callable[[Facts], Facts]
UUID = "6b79561a-c79e-578f-99b2-65bb9c00b856"
BLOCK = "# GRUB Environment Block\n"
SAVED = 'set default="${saved_entry}"'


def gone(facts: Facts, path: str) -> Facts:
    return replace(facts, files={one: text for one, text in facts.files.items() if one != path})


def put(path: str, text: str) -> Change:
    return lambda facts: replace(facts, files={**facts.files, path: text}, absent=facts.absent - {path})


def edit(path: str, old: str, new: str) -> Change:
    def change(facts: Facts) -> Facts:
        text = facts.files[path]
        assert re.search(old, text), f"{path}: no {old}"
        return put(path, re.sub(old, new, text, count=1))(facts)

    return change


def env(**variables: str) -> Change:
    return put(GRUBENV, BLOCK + "".join(f"{name}={value}\n" for name, value in variables.items()) + "#" * 99)


def both(*changes: Change) -> Change:
    def change(facts: Facts) -> Facts:
        for one in changes:
            facts = one(facts)
        return facts

    return change


def saved_default(facts: Facts) -> Facts:
    """GRUB_DEFAULT=saved, as our defaults file makes it."""
    return edit(GRUB_CFG, re.escape('set default="0"'), SAVED)(facts)


def without(name: str) -> Change:
    return lambda facts: replace(facts, boot=frozenset(one for one in facts.boot if not one.startswith(name)))


def custom(text: str) -> Change:
    return put("/boot/grub/custom.cfg", text)


DEFAULTS, SITE = "/etc/default/grub", "/etc/default/grub.d/99-site.cfg"
OTHER = """\
menuentry 'bare' --id bare {
 linux /boot/vmlinuz-6.1.0-56-rt-amd64 ro
 initrd /boot/initrd.img-6.1.0-56-rt-amd64
}
"""
SUBMENU = f"submenu 'more' --id more {{\n{OTHER}}}\n"
STRAY = re.escape("source /boot/grub/hft.cfg\n")
BAD: list[tuple[str, Change, str]] = [
    ("a file behind ours starts another entry", put(SITE, "GRUB_DEFAULT=2"), f"{SITE} gives GRUB_DEFAULT=2"),
    ("a file behind ours waits for ever", put(SITE, "export GRUB_TIMEOUT='-1' # x"), "GRUB_TIMEOUT=-1"),
    ("the last of a file counts", put(SITE, "GRUB_TIMEOUT=5\nGRUB_TIMEOUT=2000"), "GRUB_TIMEOUT=2000"),
    ("a wait after a failed boot", put(SITE, "GRUB_RECORDFAIL_TIMEOUT=-1"), "GRUB_RECORDFAIL_TIMEOUT=-1"),
    (
        "by the first file, where ours is gone",
        both(put(DEFAULTS, "GRUB_DEFAULT=1"), lambda f: gone(f, "/etc/default/grub.d/90-hft.cfg")),
        f"{DEFAULTS} gives GRUB_DEFAULT=1",
    ),
    ("the hook is a comment", edit(GRUB_CFG, "^source", "# source"), "does not read hft.cfg"),
    (
        "the hook is in a branch that is not taken",
        edit(GRUB_CFG, STRAY, "if false; then\n source /boot/grub/hft.cfg\nfi\n"),
        "not hft-good",
    ),
    ("default by number", edit(GRUB_CFG, 'set default="0"', "set default=1"), "GRUB_DEFAULT=saved"),
    ("default in custom.cfg", custom("set default=bare\n" + OTHER), "not hft-good"),
    (
        "saved entry",
        both(saved_default, env(saved_entry="gnulinux-simple-6b79561a-c79e-578f-99b2-65bb9c00b856")),
        "grub-set-default",
    ),
    ("saved number", both(saved_default, env(saved_entry="1")), "grub-set-default"),
    ("saved title", both(saved_default, env(saved_entry="Debian GNU/Linux")), "grub-set-default"),
    ("saved submenu", both(saved_default, custom(SUBMENU), env(saved_entry="more>bare")), "bare"),
    ("one-shot", both(saved_default, env(saved_entry="hft-good", next_entry="1")), "unset next_entry"),
    (
        "previous one-shot by grub-reboot",
        both(saved_default, env(saved_entry="hft-good", prev_saved_entry="1")),
        "not hft-good",
    ),
    ("stranger first", edit(GRUB_CFG, r"\A", OTHER), "sorts behind 09_hft"),
    ("stranger first, ours by id", both(saved_default, edit(GRUB_CFG, r"\A", OTHER)), "sorts behind 09_hft"),
    ("stranger first in hft.cfg", edit(HFT_CFG, r"\A", OTHER), "sorts behind"),
    ("no such argument", edit(HFT_CFG, "'nohz_full=2-3'", ""), "nohz_full"),
    ("last wins", edit(HFT_CFG, "'hft.good=t'", "'irqaffinity=0-3' 'hft.good=t'"), "irqaffinity"),
    ("lists must agree", edit(HFT_CFG, "'hft.good=t'", "'nohz_full=1' 'hft.good=t'"), "nohz_full"),
    ("behind --", edit(HFT_CFG, "'ro'", "'ro' '--'"), "lacks"),
    ("swallowed by a quote", edit(HFT_CFG, "'ro'", "'ro' 'a=\" b'"), "lacks"),
    ("taken back", edit(HFT_CFG, "'ro'", "'ro' 'nohz=off'"), "takes back"),
    ("linux line is a comment", edit(HFT_CFG, r"\n  linux", r"\n  # linux"), "cannot be loaded"),
    ("initrd line is a comment", edit(HFT_CFG, r"\n  initrd", r"\n  # initrd"), "initrd"),
    ("initrd is gone", without("initrd"), "initrd"),
    ("kernel is gone", without("vmlinuz"), "kernel"),
    ("too long", edit(HFT_CFG, "'hft.good=t'", f"'x={'y' * 2000}' 'hft.good=t'"), "2047"),
    ("falls back to a candidate", edit(HFT_CFG, r"\A", "set fallback=1\n"), "fall back to the candidate"),
    ("the menu waits", edit(GRUB_CFG, r"\Z", "\nset timeout=-1\n"), "GRUB_TIMEOUT"),
    ("the menu waits for what is no number", edit(GRUB_CFG, r"\Z", "\nset timeout=soon\n"), "GRUB_TIMEOUT"),
    ("the menu has no timeout", edit(GRUB_CFG, r"\Z", "\nunset timeout\n"), "GRUB_TIMEOUT"),
    ("the menu waits for days", edit(GRUB_CFG, r"\Z", "\nset timeout=99999\n"), "GRUB_TIMEOUT"),
    (
        "a function's argument",
        edit(GRUB_CFG, r"\Z", '\nfunction pick {\n set default="$1"\n}\npick 1\n'),
        "not hft-good",
    ),
    (
        "a password",
        both(edit(GRUB_CFG, r"\A", "set superusers=root\n"), edit(HFT_CFG, " --unrestricted", "")),
        "password",
    ),
    ("another root", edit(HFT_CFG, "'root=UUID=6", "'root=UUID=7"), "root="),
    ("no root", edit(HFT_CFG, f"'root=UUID={UUID}' ", ""), "root="),
    ("another disk", edit(HFT_CFG, f"--set=root {UUID}", "--set=root 7-8"), "file system 7-8"),
    ("no search", edit(HFT_CFG, r"  search.*\n", ""), "file system None"),
    ("the entry restarts", edit(HFT_CFG, r"\n  linux", r"\n  reboot\n  linux"), "reboot"),
    (
        "an id that no entry has, for the first one starts until there is one",
        edit(GRUB_CFG, 'set default="0"', 'set default="gnulinux-x"'),
        "names no entry",
    ),
    (
        "a saved entry that is not there",
        both(saved_default, env(saved_entry="no-such")),
        "'no-such' names no entry",
    ),
]
CANDIDATE = OTHER.replace("'bare' --id bare", "'hft candidate' --id hft-candidate")
BAD = [
    (
        name,
        both(change, edit(HFT_CFG, r"\Z", CANDIDATE)) if name == "falls back to a candidate" else change,
        said,
    )
    for name, change, said in BAD
]


@pytest.mark.parametrize(("change", "said"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_a_next_boot_without_the_plan_is_violated_with_its_way_out(
    change: Change, said: str, tuned: Facts, expected: Expected
) -> None:
    found = next_boot(expected, change(tuned))
    assert (found.verdict, found.reason) == (Verdict.VIOLATED, "next_boot_untuned")
    assert said in found.message


GOOD: list[tuple[str, Change]] = [
    ("as recorded", lambda facts: facts),
    ("saved default", saved_default),
    ("saved default, by number", both(saved_default, env(saved_entry="0"))),
    (
        "no block at all",
        lambda f: replace(
            f, files={p: t for p, t in f.files.items() if p != GRUBENV}, absent=f.absent | {GRUBENV}
        ),
    ),
    ("the hook as ours", edit(GRUB_CFG, STRAY, HOOK + "\n")),
    ("entries behind ours", custom(OTHER + SUBMENU)),
    ("a default in a branch not taken", custom('if [ "$x" = 1 ]; then\n set default=bare\nfi\n' + OTHER)),
    (
        "modules that decide nothing",
        edit(GRUB_CFG, r"\Z", "\nif loadfont a; then set x=1; fi\nif cpuid -l; then set y=2; fi\n"),
    ),
    ("a password that ours is free of", edit(GRUB_CFG, r"\A", "set superusers=root\n")),
    ("a quoted hash", edit(HFT_CFG, "'ro'", "'ro' 'x=#1'")),
    (
        "a file behind ours that changes nothing of it",
        put(SITE, "GRUB_DISABLE_OS_PROBER=true\nGRUB_TIMEOUT=5"),
    ),
    ("a file before ours is overruled", put("/etc/default/grub.d/10-cloud.cfg", "GRUB_TIMEOUT=-1")),
    ("the vendor's own is overruled", put(DEFAULTS, "GRUB_DEFAULT=3\nGRUB_TIMEOUT=-1")),
    ("what no shell reads", put("/etc/default/grub.d/99-site.cfg.dpkg-old", "GRUB_DEFAULT=3")),
    ("defaults that nobody has", lambda f: replace(gone(f, DEFAULTS), absent=f.absent | {DEFAULTS})),
    ("our fallback to what stands behind", edit(HFT_CFG, r"\A", 'set fallback="1"\n')),
]


@pytest.mark.parametrize("change", [one[1] for one in GOOD], ids=[one[0] for one in GOOD])
def test_a_next_boot_with_the_plan_is_ok(change: Change, tuned: Facts, expected: Expected) -> None:
    found = next_boot(expected, change(tuned))
    assert found.verdict is Verdict.OK, found.message


UNKNOWN: list[tuple[str, Change]] = [
    ("custom.cfg is not known", lambda f: replace(f, absent=frozenset())),
    (
        "the block is not known",
        lambda f: replace(f, files={p: t for p, t in f.files.items() if p != GRUBENV}),
    ),
    (
        "/boot is not known",
        lambda f: replace(f, boot=frozenset({"ls: cannot access '/boot': Permission denied"})),
    ),
    ("the defaults are not known", lambda f: gone(f, DEFAULTS)),
    ("a file behind ours is not read", lambda f: replace(f, unreadable={SITE: "it is no plain file"})),
    ("a branch of the defaults", put(SITE, "if [ -e /x ]; then\n  GRUB_DEFAULT=2\nfi")),
    ("a computed default", put(SITE, 'GRUB_DEFAULT="$(cat /etc/entry)"')),
    ("behind what may end the file", put(SITE, "[ -e /x ] && return\nGRUB_TIMEOUT=-1")),
    ("an order that a locale decides", put("/etc/default/grub.d/90_b.cfg", "GRUB_TIMEOUT=-1")),
    ("another file is read", edit(GRUB_CFG, r"\A", "source /boot/grub/other.cfg\n")),
    ("a loop", edit(GRUB_CFG, r"\A", "for x in 1 2; do\n set default=$x\ndone\n")),
    ("an open quote", edit(GRUB_CFG, r"\A", "echo 'open\n")),
    ("an open block", edit(GRUB_CFG, r"\Z", "\nmenuentry x {\n")),
    ("firmware decides", edit(GRUB_CFG, r"\Z", '\nif [ "$grub_platform" = efi ]; then set default=1; fi\n')),
    ("a module decides", edit(GRUB_CFG, r"\Z", "\nif loadfont x; then set default=1; fi\n")),
    (
        "two modules decide",
        edit(GRUB_CFG, r"\Z", "\nif cpuid -l; then if cpuid -p; then true; else set default=1; fi; fi\n"),
    ),
    (
        "one module twice is one answer, another one",
        edit(GRUB_CFG, r"\Z", "\ncpuid -l && ! cpuid -p && set default=1\n"),
    ),
    (
        "search decides, fails",
        edit(GRUB_CFG, r"\Z", "\nif search --file /x --set=y; then true; else set default=1; fi\n"),
    ),
    ("search decides", edit(GRUB_CFG, r"\Z", "\nif search --file /x --set=y; then set default=1; fi\n")),
    ("search sets the default", edit(GRUB_CFG, r"\Z", "\nsearch --file /x --set=default\n")),
    ("another block", edit(GRUB_CFG, r"\Z", "\nload_env --file $prefix/site.env default\n")),
    (
        "smbios decides",
        edit(
            GRUB_CFG,
            r"\Z",
            "\nsmbios --type 1 -s 5 --set product\nif [ $product = R7 ]; then set default=1; fi\n",
        ),
    ),
    ("regexp sets", edit(GRUB_CFG, r"\Z", "\nregexp --set=1:default '(.*)' '1'\n")),
    ("probe sets", edit(GRUB_CFG, r"\Z", "\nprobe --set=default -u $root\n")),
    ("loader specification", edit(GRUB_CFG, r"\Z", "\nblscfg\n")),
    ("an old menu", edit(GRUB_CFG, r"\Z", "\nlegacy_source /boot/grub/menu.lst\n")),
    ("another menu at once", edit(GRUB_CFG, r"\Z", "\nconfigfile $prefix/custom.cfg\n")),
    ("what was typed", edit(GRUB_CFG, r"\Z", "\nread default\n")),
    ("an outcome", edit(GRUB_CFG, r"\Z", "\ncpuid -l; if [ $? = 0 ]; then set default=1; fi\n")),
    ("a stranger", edit(GRUB_CFG, r"\Z", "\nfrobnicate\n")),
    ("a file decides", edit(GRUB_CFG, r"\Z", "\nif [ -f /etc/marker ]; then set default=1; fi\n")),
    ("a block without its header", put(GRUBENV, "saved_entry=hft-good\n")),
    ("another menu", edit(HFT_CFG, r"\n  linux", r"\n  configfile /boot/grub/other.cfg\n  linux")),
    ("source without end", edit(GRUB_CFG, r"\A", "source /boot/grub/grub.cfg\n")),
]


@pytest.mark.parametrize("change", [one[1] for one in UNKNOWN], ids=[one[0] for one in UNKNOWN])
def test_a_menu_that_is_not_understood_is_neither_ok_nor_violated(
    change: Change, tuned: Facts, expected: Expected
) -> None:
    with pytest.raises(CheckError):
        next_boot(expected, change(tuned))


def test_the_candidate_may_be_booted_once_and_not_twice(tuned: Facts, expected: Expected) -> None:
    args = [
        word.strip("'")
        for word in re.findall(r"'[^']*'", tuned.files[HFT_CFG].split("linux", 1)[1])
        if "good" not in word
    ]
    entry = grub.Entry(txn="adopted", release="6.1.0-56-rt-amd64", args=(f"root=UUID={UUID}", "ro", *args))
    trial = grub.Candidate(txn="t1", release=entry.release, args=entry.args, watchdog_s=9, overlay=None)
    menu = grub.Menu(fs_uuid=UUID, directory="/boot", base=(), good=entry, candidate=trial)
    facts = both(saved_default, put(HFT_CFG, grub.render(menu)))(tuned)
    assert (
        next_boot(expected, env(saved_entry="hft-good", next_entry="hft-candidate")(facts)).verdict
        is Verdict.OK
    )
    assert next_boot(expected, env(saved_entry="hft-candidate")(facts)).verdict is Verdict.VIOLATED


def test_our_own_menu_is_read_as_it_was_rendered(tuned: Facts) -> None:
    words = ("root=UUID=1", "ro", "isolcpus=managed_irq,domain,2-3")
    entry = grub.Entry(txn="t1", release="6.1.0-56-rt-amd64", args=words)
    facts = put(
        HFT_CFG, grub.render(grub.Menu(fs_uuid="1", directory="", base=(), good=entry, previous=entry))
    )(tuned)
    found = boots(facts, environment(facts), "next")
    assert found.line == f"BOOT_IMAGE=/vmlinuz-{entry.release} {' '.join(words)} hft.good=t1"
    assert found.falls_back_to[0] == "hft-previous"


def entry(title: str, ident: str) -> Entry:
    return Entry(title=title, ident=ident, is_submenu=False, body=())


@pytest.mark.parametrize(
    ("default", "place"),
    [
        (None, 0), ("0", 0), ("1", 1), ("2", 2), ("4", 0), ("0x1", 1), ("1>2", 1), ("2 x", 2), ("b", 1),
        ("B title", 1), ("c>more", 2), ("d>>e", 3), ("nothing", None), ("", 0), ("-1", None),
    ],
)  # fmt: skip
def test_the_default_is_found_as_menu_c_finds_it(default: str | None, place: int | None) -> None:
    entries = [entry("A title", "a"), entry("B title", "b"), entry("C", "c"), entry("D", "d>e")]
    assert chosen(entries, default) == place


@pytest.mark.parametrize(
    ("default", "rest"),
    [(None, None), ("a", None), ("a>b", "b"), ("a>b>c", "b>c"), ("a>>b", None), ("a>", None)],
)
def test_a_submenu_gets_the_rest_of_the_default(default: str | None, rest: str | None) -> None:
    assert below(default) == rest


def run(text: str, **saved: str) -> Grub:
    made = Grub(world=WORLDS[0], read=lambda _path: None, saved=dict(saved))
    made.run(parse(text))
    return made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("set a=1 # no", "1"),
        ("set a='# b'", "# b"),
        ("set b=2; set a=${b}3", "23"),
        ('set b="x y"; set a="$b"', "x y"),
        (r'set a="q\"r"', 'q"r'),
        ("a=5", "5"),
        ("set a=1; if [ $a = 2 ]; then set a=3; elif [ $a = 1 ]; then set a=4; else set a=5; fi", "4"),
        ("function f {\n set a=7\n}\nf", "7"),
        ("false || set a=1", "1"),
        ("true && set a=2", "2"),
        ("set a=1; false && set a=2", "1"),
        ("if ! [ -z $nothing ]; then set a=1; else set a=2; fi", "2"),
        ("false; if [ $? = 1 ]; then set a=1; fi", "1"),
        ("load_env; set a=$saved", "kept"),
        ("set a=\\\n1", "1"),
        ('if [ x"${feature_menuentry_id}" = xy ]; then set a=id; fi', "id"),
    ],
)
def test_the_language_is_read_as_grub_reads_it(text: str, value: str) -> None:
    assert run(text, saved="kept").variables["a"] == value
