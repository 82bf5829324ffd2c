"""Boards of the site and of one host: who answers, isolated CPUs beside the rest, time, network, boots."""

from __future__ import annotations

from monitoring.boards.panel import (
    COLUMNS,
    HOST,
    Board,
    Level,
    Panel,
    Query,
    Shape,
    age,
    growth,
    last,
    limits_of,
    rate,
    worst,
)

UP_STATES = {0: ("silent", Level.BAD), 1: ("answers", Level.OK)}
OPEN_STATES = {0: ("no", Level.OK), 1: ("open", Level.WARN)}
FALLBACK_STATES = {0: ("as chosen", Level.OK), 1: ("fell back", Level.BAD)}
LINK_STATES = {0: ("down", Level.BAD), 1: ("up", Level.OK)}
SYNC_STATES = {0: ("adrift", Level.BAD), 1: ("synchronised", Level.OK)}

FLEET = Board(
    uid="hft-fleet",
    title="Fleet",
    description="Every host at a glance: does it answer, what fires there, what does it run.",
    panels=(
        Panel(
            title="Hosts",
            shape=Shape.TILES,
            unit="state",
            description="Whether the exporter of each host answered the last scrape. A silent host "
            "may trade.",
            queries=(last("up", 'job="host_fast"'),),
            states=UP_STATES,
            width=COLUMNS,
            height=5,
            alerts=("HostDown",),
        ),
        Panel(
            title="Firing now",
            shape=Shape.TABLE,
            unit="1",
            description="Alerts that fire, and for which host and slot; docs/alerts.md says what to do.",
            queries=(
                Query(
                    expression='sum by (alertname, severity, host, slot) (ALERTS{alertstate="firing",'
                    f'alertname!="Watchdog",{HOST}}})',
                    metrics=("ALERTS",),
                    legend="{{severity}} {{alertname}} {{host}} {{slot}}",
                ),
            ),
            empty="nothing fires",
        ),
        Panel(
            title="Releases",
            shape=Shape.TABLE,
            unit="1",
            description="The release of each slot, by the first digits of its digest: two in a pair "
            "are a rollout.",
            queries=(last("hft_slot_release_info", legend="{{host}} {{slot}} {{release}}"),),
        ),
        Panel(
            title="Settings that differ from the plan",
            shape=Shape.TILES,
            unit="1",
            description="Live values that are not those of the committed plan; absent where no plan "
            "is committed.",
            queries=(last("hft_plan_drift_items"),),
            states={0: ("as planned", Level.OK)},
            alerts=("PlanDrift",),
        ),
        Panel(
            title="Age of what the collectors saw",
            shape=Shape.LINES,
            unit="s",
            description="Seconds since each collector looked: beyond the line nobody sees isolated "
            "CPUs and drops.",
            queries=(age("hft_collector_timestamp_seconds"),),
            limits=limits_of("CollectorStale"),
            alerts=("CollectorStale",),
        ),
    ),
)
ISOLATED = 'isolated="1"'
HOST_BOARD = Board(
    uid="hft-host",
    title="Host",
    description="Isolated CPUs beside housekeeping ones, interrupts by kind against the plan, memory, disks.",
    panels=(
        Panel(
            title="Interrupts of every CPU",
            shape=Shape.STRIP,
            unit="1/s",
            description="A row a CPU, isolated ones first: they stay pale while housekeeping is dark.",
            queries=(
                rate(
                    "hft_cpu_interrupts_total",
                    by=("host", "isolated", "cpu"),
                    legend="{{host}} isolated={{isolated}} CPU {{cpu}}",
                ),
            ),
            width=COLUMNS,
        ),
        Panel(
            title="Timer ticks of isolated CPUs",
            shape=Shape.LINES,
            unit="1/s",
            description="Local timer interrupts. A second runnable task brings the tick back to the "
            "kernel's HZ.",
            queries=(
                rate(
                    "hft_isolated_cpu_interrupts_total",
                    'kind="LOC"',
                    by=("host", "cpu"),
                    legend="{{host}} CPU {{cpu}}",
                ),
            ),
            limits=limits_of("IsolatedCpuTicks"),
            alerts=("IsolatedCpuTicks",),
        ),
        Panel(
            title="Other interrupts of isolated CPUs, by kind",
            shape=Shape.LINES,
            unit="1",
            description="Anything but the tick, in each step. The plan leaves none: each names who "
            "disturbed.",
            queries=(
                growth(
                    "hft_isolated_cpu_interrupts_total",
                    'kind!="LOC"',
                    by=("host", "cpu", "kind"),
                    legend="{{host}} CPU {{cpu}} {{kind}}",
                ),
            ),
            alerts=("IsolatedCpuInterrupted",),
        ),
        Panel(
            title="Tasks that got an isolated CPU",
            shape=Shape.LINES,
            unit="1/s",
            description="Switches to another task on isolated CPUs.",
            queries=(
                rate(
                    "hft_isolated_cpu_switches_total",
                    by=("host", "cpu"),
                    legend="{{host}} CPU {{cpu}}",
                ),
            ),
            limits=limits_of("IsolatedCpuSwitches"),
            alerts=("IsolatedCpuSwitches",),
        ),
        Panel(
            title="Deep idle states of isolated CPUs",
            shape=Shape.LINES,
            unit="share",
            description="Share of time in states that take longer than 2 us to leave.",
            queries=(
                rate(
                    "hft_cpuidle_seconds_total",
                    'depth="deep"',
                    by=("host", "cpu", "state"),
                    legend="{{host}} CPU {{cpu}} {{state}}",
                ),
            ),
            limits=limits_of("DeepIdleState"),
            alerts=("DeepIdleState",),
        ),
        Panel(
            title="Free hugepages",
            shape=Shape.LINES,
            unit="1",
            description="Pages of each pool that nobody maps.",
            queries=(last("hft_hugepages_free", legend="{{host}} node {{node}} {{size}}"),),
            alerts=("HugepagesShort",),
        ),
        Panel(
            title="Free on disks",
            shape=Shape.LINES,
            unit="share",
            description="Share of each file system that programs may still fill; journals keep the day.",
            queries=(
                Query(
                    expression=f'node_filesystem_avail_bytes{{{HOST},fstype!~"tmpfs|ramfs|squashfs"}} / '
                    f'node_filesystem_size_bytes{{{HOST},fstype!~"tmpfs|ramfs|squashfs"}}',
                    metrics=("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
                    legend="{{host}} {{mountpoint}}",
                ),
            ),
            alerts=("DiskFilling", "DiskReadOnly"),
        ),
    ),
)
TIME = Board(
    uid="hft-time",
    title="Time",
    description="How far clocks are from true time, and whether anything says so independently.",
    panels=(
        Panel(
            title="Offset of the kernel's clock",
            shape=Shape.LINES,
            unit="s",
            description="What adjtimex(2) knows; RTS 25 allows 100 us from UTC to who trades at high "
            "frequency.",
            queries=(last("node_timex_offset_seconds"),),
            limits=limits_of("ClockOffset"),
            alerts=("ClockOffset",),
        ),
        Panel(
            title="Greatest error that the kernel admits",
            shape=Shape.LINES,
            unit="s",
            description="It grows by 500 ppm of the time since the last correction; at 16 s it is adrift.",
            queries=(last("node_timex_maxerror_seconds"),),
        ),
        Panel(
            title="Synchronised",
            shape=Shape.TIMELINE,
            unit="state",
            description="Whether the kernel believes that its clock is disciplined.",
            queries=(last("node_timex_sync_status"),),
            states=SYNC_STATES,
            alerts=("ClockUnsynchronised",),
        ),
    ),
)
NETWORK = Board(
    uid="hft-network",
    title="Network",
    description="Links, bonds, drops by counter, pause frames, gaps in the feed.",
    panels=(
        Panel(
            title="Links",
            shape=Shape.TIMELINE,
            unit="state",
            description="Carrier of every port that is administratively up.",
            queries=(last("hft_link_up", legend="{{host}} {{device}}"),),
            states=LINK_STATES,
            alerts=("LinkDown", "LinkFlaps"),
        ),
        Panel(
            title="Ports of a bond without a link",
            shape=Shape.LINES,
            unit="1",
            description="Ports of each bond less those with a link; absent on hosts without a bond.",
            queries=(
                Query(
                    expression=f"hft_bond_ports{{{HOST}}} - hft_bond_active_ports{{{HOST}}}",
                    metrics=("hft_bond_ports", "hft_bond_active_ports"),
                    legend="{{host}} {{bond}}",
                ),
            ),
            alerts=("BondDegraded",),
        ),
        Panel(
            title="Packets lost in ports, by counter",
            shape=Shape.LINES,
            unit="1",
            description="Growth of each driver's own drop counters within a step; on a feed any is "
            "an incident.",
            queries=(
                growth(
                    "hft_nic_counter_total",
                    'class="drop"',
                    by=("host", "device", "counter"),
                    legend="{{host}} {{device}} {{counter}}",
                ),
            ),
            alerts=("NicDrops",),
        ),
        Panel(
            title="Pause frames",
            shape=Shape.LINES,
            unit="1",
            description="Growth of pause counters within a step: flow control should be off on both ends.",
            queries=(
                growth(
                    "hft_nic_counter_total",
                    'class="pause"',
                    by=("host", "device", "counter"),
                    legend="{{host}} {{device}} {{counter}}",
                ),
            ),
            alerts=("NicPaused",),
        ),
        Panel(
            title="Packets that devices dropped",
            shape=Shape.LINES,
            unit="1",
            description="What the kernel counts as dropped on receive, for each device, within a step.",
            queries=(
                growth(
                    "node_network_receive_drop_total",
                    by=("host", "device"),
                    legend="{{host}} {{device}}",
                ),
            ),
        ),
        Panel(
            title="Backlog of the kernel's network input",
            shape=Shape.LINES,
            unit="1",
            description="Packets dropped because the backlog was full, and rounds that ran out of budget.",
            queries=(
                growth(
                    "node_softnet_dropped_total", by=("host", "cpu"), legend="{{host}} CPU {{cpu}} dropped"
                ),
                growth(
                    "node_softnet_times_squeezed_total",
                    by=("host", "cpu"),
                    legend="{{host}} CPU {{cpu}} squeezed",
                ),
            ),
            alerts=("SoftnetDropped", "SoftnetSqueezed"),
        ),
        Panel(
            title="Gaps in the feed",
            shape=Shape.LINES,
            unit="1",
            description="Packets that were missing on both lines, within a step.",
            queries=(growth("hft_engine_feed_gaps_total", by=("host", "slot"), legend="{{host}} {{slot}}"),),
            alerts=("FeedGaps",),
        ),
    ),
)
BOOTS = Board(
    uid="hft-boots",
    title="Boots",
    description="Trial boots, who brought a host back, changes half way, distance to the plan.",
    panels=(
        Panel(
            title="Trial boots",
            shape=Shape.TIMELINE,
            unit="state",
            description="Open from the staging of a trial until it is committed or rolled back.",
            queries=(last("hft_trial_open"),),
            states=OPEN_STATES,
            alerts=("TrialOpen",),
        ),
        Panel(
            title="Fallback",
            shape=Shape.TIMELINE,
            unit="state",
            description="Whether the last trial was rolled back, so that the known good entry runs.",
            queries=(last("hft_boot_fallback"),),
            states=FALLBACK_STATES,
            alerts=("BootFallback",),
        ),
        Panel(
            title="Who brought the host back",
            shape=Shape.TABLE,
            unit="1",
            description="What ended the last trial that failed: grub, panic, health, watchdog, "
            "deadman or unknown.",
            queries=(last("hft_last_rollback_info", legend="{{host}} {{brought_back_by}} {{transaction}}"),),
        ),
        Panel(
            title="Changes half way",
            shape=Shape.TIMELINE,
            unit="state",
            description="A transaction that is neither done nor undone.",
            queries=(last("hft_transaction_open"),),
            states=OPEN_STATES,
            alerts=("ChangeHalfWay",),
        ),
        Panel(
            title="Settings that differ from the plan",
            shape=Shape.LINES,
            unit="1",
            description="Live values that are not those of the committed plan.",
            queries=(worst("hft_plan_drift_items", by=("host",), legend="{{host}}"),),
            alerts=("PlanDrift",),
        ),
        Panel(
            title="Committed plans",
            shape=Shape.TABLE,
            unit="1",
            description="The plan that each host last committed, by the first digits of its hash.",
            queries=(last("hft_plan_info", legend="{{host}} {{plan}}"),),
        ),
    ),
)
