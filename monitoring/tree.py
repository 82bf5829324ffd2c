"""The files of each host that watches, as a tree below its name: what `hft monitoring render` writes.

The paths are Debian's own: units of the packages read `ARGS` from /etc/default.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitoring import alertmanager, cases, prometheus
from monitoring.alertmanager import Contacts
from monitoring.alerts import rendered
from monitoring.alerts_self import WATCHDOG
from monitoring.boards import wall
from monitoring.layout import Layout, Target
from monitoring.prometheus import DENIED
from monitoring.rules import HEAD, all_rules, rule_files

TESTS = "tests"
TEXTFILES = "/var/lib/prometheus/node-exporter"  # Debian's own: a watching host has no collector of ours


def tree(layout: Layout, contacts: Contacts) -> Mapping[str, str]:
    """Relative path -> text."""
    found: dict[str, str] = {}
    rules = rule_files(rendered())
    for member in layout.members:
        host = member.target.host
        found[f"{host}/etc/prometheus/prometheus.yml"] = prometheus.configuration(layout)
        found[f"{host}/etc/prometheus/alertmanager.yml"] = alertmanager.configuration(contacts)
        found[f"{host}/etc/default/prometheus"] = defaults(prometheus.arguments(member))
        found[f"{host}/etc/default/prometheus-alertmanager"] = defaults(
            alertmanager.arguments(member, layout)
        )
        found[f"{host}/etc/default/prometheus-node-exporter"] = _exporter(member.target)
        found.update({f"{host}/etc/prometheus/rules/{name}": text for name, text in rules.items()})
    return {**found, **_tests(layout.members[0].target.host, rules)}


def deployed(layout: Layout, contacts: Contacts, assets: Mapping[str, str]) -> Mapping[str, str]:
    """The same for the roles: without tests, and all rules in one file, which is one look over the network.

    `render` keeps a file for each alert, because promtool takes 20 times as long over one file of all. ASSETS
    are the files of the page that Prometheus serves.
    """
    kept = {
        name: text
        for name, text in tree(layout, contacts).items()
        if not name.startswith(f"{TESTS}/") and "/rules/" not in name
    }
    text = all_rules(rendered())
    for member in layout.members:
        host = member.target.host
        kept[f"{host}/etc/prometheus/rules/hft.yml"] = text
        page = wall.files(layout, assets)
        kept.update({f"{host}{prometheus.WALL}/{name}": inside for name, inside in page.items()})
    return kept


def _exporter(target: Target) -> str:
    """The arguments of node_exporter, and why the collectors that are left out are."""
    reasons = "".join(f"# not {name}: {why}\n" for name, why in DENIED.items())
    arguments = prometheus.exporter_arguments(target.address, target.exporter_port, TEXTFILES)
    return defaults(arguments) + reasons


def defaults(arguments: tuple[str, ...]) -> str:
    """A file for /etc/default: one variable, which systemd splits at blanks (systemd.service(5))."""
    return f'# {HEAD}\nARGS="{" ".join(arguments)}"\n'


def _tests(host: str, rules: Mapping[str, str]) -> dict[str, str]:
    where = {name: f"../{host}/etc/prometheus/rules/{name}" for name in rules}
    found = {f"{TESTS}/{one.file}.yml": cases.test_file(one, where) for one in rendered()}
    return {**found, f"{TESTS}/{WATCHDOG}.yml": cases.watchdog_test(where)}
