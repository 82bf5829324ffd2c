"""Network ports that a person named for trading: what their devices do before a thread sees a frame.

With deferred interrupts (napi_defer_hard_irqs, gro_flush_timeout) the device stays silent while a thread
polls it, and a timer is the safety net; without a polling reader the same two would only delay frames. So
they follow the I/O mode of each port, and only of ports that were named: a guess must not slow down a port,
and the way to the host is never changed. A driver that is loaded again forgets them; hft-irqs writes them
again.

A driver's own parameters (tuning/nic_table.py) follow the same mode: no adaptive wait with interrupts, no
sleep of the link (EEE). So do queues and rings, unless a person knows better (how many queues depends on the
flows, how deep a ring on the bursts): what the mode says is cut at the driver's maximum, what a person says
is refused above it. Pause frames are the switch's matter, so a person's.

Merging: a thread that sleeps is woken once for what came together, so GRO, GSO and TSO are on; where a thread
polls, deferred interrupts would keep a merged frame until their timer fires, and a burst of one flow would
stand before an order as one frame of 64 KiB, so they are off. LRO is always off: the card cannot tell where a
message ends, and a port with it takes no XDP program. Checksums and scatter-gather stay as the driver has
them, on: without them a CPU does the card's work.
Source: Documentation/networking/napi.rst, Documentation/networking/af_xdp.rst,
Documentation/networking/segmentation-offloads.rst.
"""

from __future__ import annotations

from tuning.nic_table import KNOBS, Value, text_of
from tuning.plan.builder import PlanBuilder
from tuning.plan.io_mode import MODES, mode_of
from tuning.plan.ports import PLAIN_NAME
from tuning.plan.profile import IoMode
from tuning.plan.refusal import Code
from tuning.plan.setting import NicParameter, SysfsValue
from tuning.topology.topology import Nic

NAPI = "Documentation/networking/napi.rst"
ETHTOOL = "ethtool(8); Documentation/networking/ethtool-netlink.rst"
RESET = "the port is reset, and its frames of about a second are lost, when it changes"
ORDER = "frames of the moment of change may be reordered"
MORE = "a bulk transfer over a port that polls costs a CPU more time for each frame"
# Parameter -> the key of a named port that asks for it.
ASKED = {
    "channels.combined": "queues",
    "channels.rx": "queues",
    "channels.tx": "queues",
    "rings.rx": "rx_ring",
    "rings.tx": "tx_ring",
    "pause.rx": "pause",
    "pause.tx": "pause",
}
QUEUES = "{} has as many queues as its readers: each is an interrupt and a ring of its own"
WHYS = {
    "channels.combined": (QUEUES, RESET),
    "channels.rx": (QUEUES, RESET),
    "channels.tx": (QUEUES, RESET),
    "rings.rx": ("a burst of {} waits in so many descriptors: more of them crowd the cache", RESET),
    "rings.tx": ("so many frames of {} may wait to be sent", RESET),
    "coalesce.adaptive_rx": ("the driver of {} does not guess how long an interrupt may wait", "none known"),
    "coalesce.rx_usecs": (
        "an interrupt of {} waits as its I/O mode wants: not at all for who sleeps, long for who spins",
        "with no wait a burst costs an interrupt for each frame",
    ),
    "pause.rx": ("whether the switch may stop {} from sending, as a person said", RESET),
    "pause.tx": ("whether {} may stop the switch, and what else comes through it, as a person said", RESET),
    "eee.enabled": ("the link of {} does not sleep: waking up takes it microseconds", RESET),
    "rss.table": ("what no flow rule of {} names is spread over the queues that have no flow", ORDER),
    "rss.key": ("both directions of a connection over {} have one queue, after every boot the same", ORDER),
    "rss.tcp4": ("TCP over {} is spread by addresses and ports, so that connections have queues", ORDER),
    "rss.udp4": ("UDP over {} is spread by addresses and ports, so that groups have queues", ORDER),
    "features.ntuple": ("the card of {} takes flow rules", "none known"),
    "flows": (
        "the frames of each named flow of {} come to the queue whose reader waits for them",
        "rules that somebody else made there are taken away; frames of the moment of change may be reordered",
    ),
    "wol.modes": ("no frame on a trading LAN starts this host again through {}", "no wake-up by this port"),
    "features.lro": ("the card of {} does not join frames: it cannot tell where a message ends", RESET),
    "features.gro": ("what {} receives is joined where its readers sleep, and not where they poll", MORE),
    "features.gso": ("what {} sends is cut late where its writers sleep, and not where they poll", MORE),
    "features.tso": ("the card of {} cuts TCP where its writers sleep, and not where they poll", MORE),
    "features.tso6": ("the card of {} cuts TCP over IPv6 where its writers sleep, not where they poll", MORE),
}
OFF: dict[str, Value] = {"features.lro": 0, "wol.modes": 0, "eee.enabled": 0, "coalesce.adaptive_rx": 0}
FLOWING = ("features.ntuple", "flows")
STEERING = ("rss.table", "rss.key", "rss.tcp4", "rss.udp4", *FLOWING)
# Both directions of a connection have one hash (S. Woo, K. Park, Scalable TCP session monitoring with
# symmetric receive-side scaling, 2012). Addresses and ports: RXH_IP_SRC to RXH_L4_B_2_3.
KEY, FIELDS = "6d5a", 0xF0
MERGING = ("features.gro", "features.gso", "features.tso", "features.tso6")


def plan_nics(builder: PlanBuilder) -> None:
    """Deferred interrupts of every named trading port that the kernel drives."""
    named = builder.partition.named
    driven = {nic.name for nic in builder.topology.nics if not nic.name.startswith("pci-")}
    for nic in (*named.trading, *named.of("replication")):
        if nic.name not in driven:
            reason = "no network device of the kernel stands for this port, as one that DPDK drives"
            builder.refuse(f"nic.napi_defer.{nic.name}", Code.NOT_APPLICABLE_ABSENT, reason)
        elif not PLAIN_NAME.fullmatch(nic.name):
            reason = "the device's name has characters that no setting may hold"
            builder.refuse("nic.napi_defer", Code.NOT_PLANNED, reason)
        else:
            _deferred(builder, nic)
            _parameters(builder, nic)


def _parameters(builder: PlanBuilder, nic: Nic) -> None:
    """What the driver of a port is told."""
    named = builder.partition.named
    mode = named.mode_of(nic) or mode_of(builder.profile, builder.topology)
    usecs, wishes = MODES[mode].rx_usecs, named.wishes_of(nic)
    if usecs is None:
        reason = f"with I/O mode {mode} no driver of the kernel serves {nic.name}"
        for knob in KNOBS:
            builder.refuse(f"nic.{knob}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
        return
    wanted: dict[str, Value] = OFF | {"coalesce.rx_usecs": usecs} | _merging(builder, nic, mode)
    wanted |= _steering(builder, nic, mode)
    capped: set[str] = set()
    by_mode = {"queues": _queues(builder, mode), "rx_ring": MODES[mode].rx_ring}
    for knob, wish in ASKED.items():
        said, number = wishes.get(wish), by_mode.get(wish)
        if said is not None:
            wanted[knob] = {"on": 1, "off": 0}[str(said)] if wish == "pause" else int(str(said))
        elif number is not None:
            wanted[knob] = number
            capped.add(knob)
        else:
            reason = f"nobody asks for {wish} of {nic.name}: the driver's own stays"
            builder.refuse(f"nic.{knob}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
    for knob, value in sorted(wanted.items()):
        why, risk = WHYS[knob]
        builder.add(
            NicParameter(
                key=f"nic.{knob}.{nic.name}",
                device=nic.name,
                knob=knob,
                value=text_of(value),
                pci=nic.pci or "",
                is_capped=knob in capped,
                mode=KNOBS[knob].mode,
                why=why.format(nic.name),
                risk=risk,
                source=ETHTOOL,
            )
        )


def _queues(builder: PlanBuilder, mode: IoMode) -> int | None:
    """How many queues a port has by its mode; None: nobody says."""
    readers = MODES[mode].queues
    if readers is None or readers == "one":
        return None if readers is None else 1
    cpus = builder.partition.cpus_of
    return max(1, len(cpus("poll") or cpus("irq") if readers == "poll" else cpus("irq")))


def _steering(builder: PlanBuilder, nic: Nic, mode: IoMode) -> dict[str, Value]:
    """Where received frames go, once a person says how many queues there are and what flows they have.

    A queue of a flow takes no other frame: the hash spreads what no rule names over the rest, or over all of
    them where each has a flow.
    """
    wishes = builder.partition.named.wishes_of(nic)
    flows, queues = wishes.get("flows", ()), wishes.get("queues")
    refused: tuple[str, ...] = STEERING
    reason = f"nobody asks for queues of {nic.name}: the driver's own stays"
    wanted: dict[str, Value] = {}
    if isinstance(queues, int) and isinstance(flows, tuple):
        taken = {flow.queue for flow in flows}
        rest = [one for one in range(queues) if one not in taken] or list(range(queues))
        wanted = {
            "rss.table": tuple(map(str, rest)),
            "rss.key": (KEY,),
            "rss.tcp4": FIELDS,
            "rss.udp4": FIELDS,
        }
        refused, reason = FLOWING, f"nobody asks for flows of {nic.name}: its rules stay"
        if flows and mode == "onload":
            reason = f"with I/O mode onload its own driver makes the rules of {nic.name}"
        elif flows:
            refused = ()
            wanted |= {"features.ntuple": 1, "flows": tuple(sorted(flow.word for flow in flows))}
    for knob in refused:
        builder.refuse(f"nic.{knob}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
    return wanted


def _merging(builder: PlanBuilder, nic: Nic, mode: IoMode) -> dict[str, Value]:
    """GRO, GSO and TSO by the mode; refused by name where the kernel's stack carries nothing that counts."""
    is_merged = MODES[mode].is_merged
    if is_merged is not None:
        return dict.fromkeys(MERGING, int(is_merged))
    reason = f"with I/O mode {mode} the kernel's stack does not carry what {nic.name} trades"
    for knob in MERGING:
        builder.refuse(f"nic.{knob}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
    return {}


def _deferred(builder: PlanBuilder, nic: Nic) -> None:
    mode = builder.partition.named.mode_of(nic) or mode_of(builder.profile, builder.topology)
    row = MODES[mode]
    knobs = (
        ("napi_defer", "napi_defer_hard_irqs", row.napi_defer),
        ("gro_flush", "gro_flush_timeout", row.gro_flush_ns),
    )
    for key, name, value in knobs:
        if value is None:
            reason = f"with I/O mode {mode} the kernel's own receive path does not serve {nic.name}"
            builder.refuse(f"nic.{key}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
            continue
        builder.add(
            SysfsValue(
                key=f"nic.{key}.{nic.name}",
                path=f"/sys/class/net/{nic.name}/{name}",
                value=str(value),
                mode="safe",
                why=f"{nic.name} stays silent while a thread polls it"
                if value
                else f"no thread polls {nic.name}, so no frame of it waits for one",
                risk="frames wait up to 200 us for a thread that stopped polling" if value else "none known",
                source=NAPI,
            )
        )
