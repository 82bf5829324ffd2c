"""The agent's own units. What each of them gives up: agent/hardening.py."""

from __future__ import annotations

from agent.hardening import AWAKE, COLLECTOR, IRQS, UNDO
from agent.paths import LIB_DIR
from tuning.units import AWAKE_UNIT, MONITORING_SLICE

CALL = f"/usr/bin/python3 -I -S {LIB_DIR}/agent.pyz"
UNITS = {
    # Early: before systemd-sysctl reads files that may have to be restored. It needs the disks and nothing
    # else. If it fails the boot continues: a reachable host is worth more.
    "hft-recover.service": f"""\
[Unit]
Description=Undoes an hft transaction that a power cut or a crash left open
DefaultDependencies=no
Conflicts=shutdown.target
After=local-fs.target
Before=systemd-sysctl.service sysinit.target shutdown.target

[Service]
Type=oneshot
ExecStart={CALL} recover
TimeoutStartSec=300
{UNDO}
[Install]
WantedBy=sysinit.target
""",
    # One instance per transaction. It blocks on the writer's flock: the kernel wakes it when the writer dies.
    "hft-recover@.service": f"""\
[Unit]
Description=Undoes hft transaction %i if its writer dies

[Service]
Type=exec
ExecStart={CALL} recover --wait
OOMScoreAdjust=-900
{UNDO}""",
    "hft-irqs.service": f"""\
[Unit]
Description=Places interrupts and kernel threads at boot and whenever links, queues, CPUs or drivers change
After=network-pre.target

[Service]
Type=exec
ExecStart={CALL} irqs
Restart=always
RestartSec=2
{IRQS}
[Install]
WantedBy=multi-user.target
""",
}
# Installed, and enabled by a plan alone (profile key `power`). With its end the request ends, too.
UNITS[AWAKE_UNIT] = f"""\
[Unit]
Description=Keeps every CPU out of idle states, as the plan says

[Service]
Type=exec
ExecStart={CALL} awake
Restart=always
RestartSec=1
OOMScoreAdjust=-900
{AWAKE}
[Install]
WantedBy=multi-user.target
"""
# Installed and not enabled: whoever watches the site starts it (docs/monitoring.md). Its folder stays when it
# stops, so that the age of its last file is seen; a stopped collector is an alert.
UNITS["hft-collector.service"] = f"""\
[Unit]
Description=Counts what disturbs isolated CPUs, ports and engines, for the exporter
After=local-fs.target

[Service]
Type=exec
ExecStart={CALL} collect /run/hft-metrics
RuntimeDirectory=hft-metrics
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
Slice={MONITORING_SLICE}
CPUQuota=20%
MemoryMax=128M
Nice=10
OOMScoreAdjust=900
Restart=always
RestartSec=1
{COLLECTOR}
[Install]
WantedBy=multi-user.target
"""
ENABLED = {"hft-recover.service": "sysinit.target", "hft-irqs.service": "multi-user.target"}
