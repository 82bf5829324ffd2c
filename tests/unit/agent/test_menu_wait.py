"""GRUB leaves its menu by itself: each way to make it wait is refused; what distributions write passes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boot import grub
from agent.boot.grub_adopt import DEFAULTS_TEXT
from agent.boot.menu_wait import (
    WAIT_MAX_S,
    defaults_fault,
    fault,
    is_behind_ours,
    located,
    menu_fault,
    value_fault,
)
from agent.host import HostRoot
from tests.support.boot_menus import with_hook
from tests.unit.agent.boot_tree import put
from tuning.snapshot.boot_menu import DEFAULTS, HOOK

STOCK = (Path(__file__).parents[2] / "cases/debian-12-grub.cfg").read_text()
SITE = "/etc/default/grub.d/99-site.cfg"


def none(_: str) -> None:
    return None


@pytest.mark.parametrize("style", ["hidden", "menu", "countdown"])
@pytest.mark.parametrize("timeout", ["0", "1", "5", "30", str(WAIT_MAX_S)])
def test_a_stock_menu_passes_before_and_after_our_hook(style: str, timeout: str) -> None:
    text = STOCK.replace("timeout_style=hidden", f"timeout_style={style}").replace(
        "set timeout=0", f"set timeout={timeout}"
    )
    for menu in (text, with_hook(text)):
        assert menu_fault(menu, none) is None
        assert grub.stranger_before(menu) is None


@pytest.mark.parametrize(
    "value", ["-1", "-30", "", "1.5", "5s", "$x", "${x}", str(WAIT_MAX_S + 1), "99999999"]
)
@pytest.mark.parametrize("line", ["set timeout=0", "set timeout=30"])
def test_each_timeout_of_a_stock_menu_counts(value: str, line: str) -> None:
    assert menu_fault(with_hook(STOCK).replace(line, f"set timeout={value}"), none)


@given(st.text("-0123456789abcx. $", max_size=12))
def test_only_a_small_number_is_no_fault(value: str) -> None:
    is_small = value.isdecimal() and int(value) <= WAIT_MAX_S and len(value) < 10
    assert (value_fault(value) is None) == is_small


@pytest.mark.parametrize(
    "text",
    [
        "timeout=-1",
        "set 'timeout=-1'",
        'set timeout="-1"',
        "true; set timeout=-1",
        "if true; then set timeout=-1; fi",
        "set time\\\nout=-1",
        "unset timeout",
        "function f { set timeout=-1; }",
        "sleep 3600",
        "sleep --interruptible $x",
        "read x",
        "if cryptomount -u 1; then true; fi",
        "source (hd1,1)/other.cfg",
        "source $file",
        ". $prefix/../x.cfg",
        "source $prefix/loop.cfg",
        'source "${config_directory}/custom.cfg"',
    ],
)
def test_every_spelling_of_a_wait_is_found(text: str) -> None:
    files = {
        "/boot/grub/custom.cfg": "if true; then source /grub/more.cfg; fi",
        "/boot/grub/more.cfg": "set timeout=-1\n",
        "/boot/grub/loop.cfg": "source $prefix/loop.cfg\n",
    }
    assert menu_fault(f"set timeout=1\n{HOOK}\n{text}\n", files.get)
    assert menu_fault(f"set timeout=1\n{HOOK}\n### BEGIN /etc/grub.d/40_custom ###\n{text}\n", files.get)


@pytest.mark.parametrize(
    "text",
    [
        "# set timeout=-1",
        "echo 'set timeout=-1'",
        "echo timeout=-1",
        "menuentry x {\n set timeout=-1\n}",
        "submenu y {\n menuentry x {\n sleep 90\n }\n}",
        "source $prefix/absent.cfg",
        "set timeout_style=hidden",
    ],
)
def test_what_gives_no_timeout_before_the_choice_is_left_alone(text: str) -> None:
    assert menu_fault(f"set timeout=1\n{HOOK}\n{text}\n", none) is None


def test_a_menu_of_ours_without_a_timeout_waits_for_ever() -> None:
    assert "sets no timeout" in (menu_fault(f"{HOOK}\n", none) or "")
    assert "sets no timeout" in (menu_fault(f"{HOOK}\nfunction f {{\nset timeout=1\n}}\n", none) or "")
    assert menu_fault("set default=0\n", none) is None  # it is generated anew before our menu is read


def test_a_menu_that_is_generated_anew_loses_what_the_defaults_give_and_keeps_what_scripts_print() -> None:
    assert menu_fault(STOCK.replace("timeout=0", "timeout=-1"), none) is None
    assert "/etc/grub.d/40_custom" in (
        menu_fault(STOCK.replace("40_custom ###", "40_custom ###\nset timeout=-1", 1), none) or ""
    )


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    put(tmp_path, DEFAULTS, DEFAULTS_TEXT)
    put(tmp_path, "/etc/default/grub", "GRUB_TIMEOUT=-1\nGRUB_RECORDFAIL_TIMEOUT=-1\n")
    return HostRoot(root=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "is_fault"),
    [
        ("GRUB_TIMEOUT=-1\n", True),
        ("export GRUB_TIMEOUT='-1' # for ever\n", True),
        ("[ -e /x ] && GRUB_TIMEOUT=-1\n", True),
        ("if true; then\n  GRUB_TIMEOUT=-1\nfi\n", True),
        ("GRUB_RECORDFAIL_TIMEOUT=-1\n", True),
        ("GRUB_TIMEOUT=$WAIT\n", True),
        ("GRUB_TIMEOUT=-1\n[ -e /x ] && GRUB_TIMEOUT=5\n", True),
        ("GRUB_TIMEOUT=-1\nif true; then\n  GRUB_TIMEOUT=5\nfi\n", True),
        ("GRUB_TIMEOUT=5\nGRUB_TIMEOUT=86400\n", True),
        ("GRUB_TIMEOUT+=00\n", True),
        ("#GRUB_TIMEOUT=-1\n", False),
        ("MY_GRUB_TIMEOUT=-1\n", False),
        ("GRUB_TIMEOUT=-1\nGRUB_TIMEOUT=5\n", False),
        ("GRUB_TIMEOUT=\n", False),
        ("GRUB_TIMEOUT=10\nGRUB_TIMEOUT_STYLE=hidden\n", False),
        ("GRUB_DEFAULT=1\n", True),
        ("GRUB_DEFAULT='Debian GNU/Linux'\n", True),
        ("GRUB_DEFAULT=hft-candidate\n", True),
        ("GRUB_DEFAULT=2\n[ -e /x ] && GRUB_DEFAULT=saved\n", True),
        ("GRUB_DEFAULT=1\nGRUB_DEFAULT=saved\n", False),
        ("GRUB_DEFAULT=0\n", False),
        ("GRUB_DEFAULT=hft-good\n", False),
        ("GRUB_DEFAULT_BUTTON=3\n", False),
    ],
)
def test_a_file_behind_ours_is_read_as_a_shell_reads_it(host: HostRoot, text: str, is_fault: bool) -> None:
    assert fault(host) is None
    put(Path(host.root), SITE, text)
    assert (defaults_fault(host) is not None) == is_fault


def test_the_file_that_wins_is_named_with_the_way_out(host: HostRoot) -> None:
    put(Path(host.root), "/etc/default/grub.d/95-other.cfg", "GRUB_TIMEOUT=-1\n")
    put(Path(host.root), SITE, "GRUB_TIMEOUT=-2\n")
    said = fault(host) or ""
    assert said.startswith(f"{SITE} sets GRUB_TIMEOUT=-2 and wins over 90-hft.cfg")
    assert "run: update-grub" in said
    put(Path(host.root), SITE, "GRUB_TIMEOUT=5\n")
    assert fault(host) is None


def test_what_is_no_file_is_not_waited_for_and_would_keep_update_grub_waiting(host: HostRoot) -> None:
    """grub-mkconfig is a shell that sources it: a pipe holds it for ever, a folder ends it."""
    os.mkfifo(host.path("/etc/default/grub.d/10-fifo.txt"))
    Path(host.path("/etc/default/grub.d/98-gone.cfg")).symlink_to("nowhere")
    Path(host.path("/etc/default/grub.d/98-null.cfg")).symlink_to("/dev/null")
    assert fault(host) is None
    os.mkfifo(host.path("/etc/default/grub.d/10-fifo.cfg"))
    assert "10-fifo.cfg is no plain file" in (fault(host) or "")
    Path(host.path("/etc/default/grub.d/10-fifo.cfg")).unlink()
    Path(host.path("/etc/default/grub.d/97-folder.cfg")).mkdir()
    assert "97-folder.cfg is no plain file" in (fault(host) or "")


@pytest.mark.parametrize(
    ("file", "behind"),
    [
        ("99-site.cfg", True),
        ("90-z.cfg", True),
        ("90-Zone.cfg", True),
        ("90_site.cfg", True),
        ("90-hft.cfg", False),
        ("10-first.cfg", False),
        ("90-a.cfg", False),
    ],
)
def test_the_order_of_names_in_any_locale(file: str, behind: bool) -> None:
    assert is_behind_ours(file) == behind


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("$prefix/custom.cfg", "/boot/grub/custom.cfg"),
        ("(hd0,1)/boot/grub/custom.cfg", None),
        ("/grub/custom.cfg", "/boot/grub/custom.cfg"),
        ("${config_directory}/custom.cfg", "/boot/grub/custom.cfg"),
        ("\\$prefix/custom.cfg", None),
        ("/etc/passwd", None),
    ],
)
def test_a_file_of_grub_is_found_on_the_host_or_not_at_all(word: str, path: str | None) -> None:
    assert located(word) == path
