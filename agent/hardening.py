"""What the agent's units give up, each with no more rights than its job needs (systemd.exec(5), systemd 252).

`systemd-analyze security` scores it, and a test holds the score. Nothing is given up that a job needs: an
undo writes files below /etc and /boot with their old owners, asks systemd to start and stop units, places
kernel threads, and writes values below /proc/sys, /proc/irq and /sys, so ProtectKernelTunables= and
ProtectControlGroups= would make it fail when it is needed most.
"""

from __future__ import annotations

# What none of the agent's jobs does. What was given up never comes back through a set-uid program.
COMMON = """\
NoNewPrivileges=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077
"""
# Who never gives a thread real-time priority; the others give it to kernel threads, as planned or as it was.
ORDINARY = "RestrictRealtime=yes\n"
# Files of any owner come back with that owner and mode; systemd takes orders only from who has CAP_SYS_ADMIN,
# and ext4 its checkpoint; CAP_SYS_NICE places kernel threads, CAP_NET_ADMIN sets ports back over netlink.
# Paths that may be absent begin with `-`.
UNDO = f"""\
{COMMON}ProtectKernelLogs=yes
DevicePolicy=closed
ProtectSystem=strict
ReadWritePaths=/etc /run -/boot -/usr/local/lib -/var/lib
RestrictAddressFamilies=AF_NETLINK AF_UNIX
IPAddressDeny=any
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYS_NICE
"""
# Interrupts are root's own files below /proc/irq; kernel threads are placed with CAP_SYS_NICE; changes of
# links, queues, CPUs and drivers are announced over netlink in the host's own network namespace, and
# CAP_NET_ADMIN sets the parameters of ports there.
IRQS = f"""\
{COMMON}ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ReadWritePaths=/run -/var/lib/hft
RestrictAddressFamilies=AF_NETLINK
IPAddressDeny=any
CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_NICE
"""
# One device, one number, and then it sleeps.
AWAKE = f"""\
{COMMON}{ORDINARY}ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectSystem=strict
PrivateTmp=yes
DevicePolicy=closed
DeviceAllow=/dev/cpu_dma_latency rw
PrivateNetwork=yes
RestrictAddressFamilies=none
IPAddressDeny=any
CapabilityBoundingSet=
"""
# The trial's judge also pins a busy loop to each isolated CPU, stops the hardware watchdog, keeps the boot's
# log, and writes below /run and to GRUB's block; logind restarts the host for who has CAP_SYS_BOOT.
TRIAL = f"""\
{COMMON}{ORDINARY}RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
"""
# It only reads: pages of engines and files below /proc and /sys of any owner, and counters of ports by ioctl.
COLLECTOR = f"""\
{COMMON}{ORDINARY}ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ReadWritePaths=/run/hft-metrics
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_NET_ADMIN
"""
