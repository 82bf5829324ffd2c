"""Who is watched and by whom: a site as monitoring needs it. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass

NODE_EXPORTER_PORT = 9100
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
CLUSTER_PORT = 9094


class LayoutError(ValueError):
    """A site that cannot be watched; one sentence with what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One host of the site."""

    host: str
    address: str
    host_class: str
    role: str
    failure_domain: str
    exporter_port: int = NODE_EXPORTER_PORT

    @property
    def labels(self) -> dict[str, str]:
        """What every series of this host carries."""
        return {
            "host": self.host,
            "host_class": self.host_class,
            "role": self.role,
            "failure_domain": self.failure_domain,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A host that runs Prometheus and one member of the Alertmanager pair, and the ports there."""

    target: Target
    prometheus_port: int = PROMETHEUS_PORT
    alertmanager_port: int = ALERTMANAGER_PORT
    cluster_port: int = CLUSTER_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A site: all its hosts, and those that watch."""

    site: str
    targets: tuple[Target, ...]
    members: tuple[Member, ...]


def layout(site: str, targets: tuple[Target, ...]) -> Layout:
    """The layout of a site whose hosts of role `monitoring` watch the rest.

    Raises: LayoutError where there is no such host, or more than the pair that Alertmanager's timing is for.
    """
    members = tuple(Member(target=one) for one in targets if one.role == "monitoring")
    if not members:
        raise LayoutError(f"site {site} has no host with role monitoring; add one or two to the inventory")
    if len(members) > 2:
        names = ", ".join(one.target.host for one in members)
        raise LayoutError(f"site {site} has {len(members)} hosts with role monitoring ({names}); keep two")
    return Layout(site=site, targets=targets, members=members)


def endpoint(address: str, port: int) -> str:
    """`address:port`; an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
