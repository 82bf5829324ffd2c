"""Snapshot to topology where firmware, captures and containers are odd."""

from __future__ import annotations

import pytest

from tests.cases.machines import CASES, Machine, grid, machine
from tuning.errors import SnapshotError
from tuning.snapshot.files import Snapshot, parse_capture
from tuning.topology.reader import read_topology

CPU = "/sys/devices/system/cpu"


def with_files(spec: Machine, **changes: str | None) -> Snapshot:
    """Keys are paths; None takes the path away, so that it is not known."""
    snapshot = machine(spec)
    files = {**snapshot.files, **changes}
    return Snapshot(
        {path: text for path, text in files.items() if path not in changes or text is not None}, {}
    )


FOUR = Machine(spots=grid(cores_per_node=4))


def test_a_snapshot_that_tells_no_cpus_is_refused() -> None:
    with pytest.raises(SnapshotError, match="which CPUs are online"):
        read_topology(Snapshot({"/proc/version": "Linux version 6.1\n"}))


def test_old_captures_tell_cpus_by_their_switches_or_by_cpuinfo() -> None:
    switches = {f"{CPU}/cpu{cpu}/online": "0\n" if cpu == 2 else "1\n" for cpu in range(1, 4)}
    topology = read_topology(Snapshot({**switches, f"{CPU}/cpu0/topology/core_id": "0\n"}))
    assert (str(topology.online), str(topology.offline)) == ("0-1,3", "2")
    s390 = "vendor_id : IBM/S390\n# processors : 2\nprocessor 0: version = FF\nprocessor 1: version = FF\n"
    assert str(read_topology(Snapshot({"/proc/cpuinfo": s390})).online) == "0-1"
    listed = "processor\t: 0\nflags\t: fpu\n\nprocessor\t: 1\nflags\t: fpu\n"
    assert str(read_topology(Snapshot({"/proc/cpuinfo": listed})).online) == "0-1"


@pytest.mark.parametrize("text", ["0-", "x", "0-99999999999"])
def test_a_damaged_list_counts_as_not_known_and_is_noted(text: str) -> None:
    topology = read_topology(with_files(FOUR, **{f"{CPU}/online": text}))
    assert str(topology.online) == "0-3"
    assert any("cannot be read" in note for note in topology.notes)


def test_siblings_that_contradict_are_joined_to_be_safe() -> None:
    one_sided = {f"{CPU}/cpu1/topology/thread_siblings_list": "1-2\n"}
    topology = read_topology(with_files(FOUR, **one_sided))
    assert [str(core.cpus) for core in topology.cores] == ["0", "1-2", "3"]


def test_cpuinfo_tells_cores_where_sysfs_does_not() -> None:
    blocks = [f"processor : {cpu}\nphysical id : {cpu % 2}\ncore id : {cpu // 4}\n" for cpu in range(8)]
    topology = read_topology(Snapshot({"/proc/cpuinfo": "\n".join(blocks)}))
    assert [str(core.cpus) for core in topology.cores] == ["0,2", "1,3", "4,6", "5,7"]


def test_unknown_siblings_are_noted() -> None:
    topology = read_topology(with_files(FOUR, **{f"{CPU}/cpu3/topology/thread_siblings_list": None}))
    assert "siblings of CPUs 3 are not known; each counts as a core of its own" in topology.notes


def test_masks_stand_in_for_lists() -> None:
    changes: dict[str, str | None] = {
        f"{CPU}/cpu{cpu}/topology/thread_siblings_list": None for cpu in range(4)
    }
    changes |= {f"{CPU}/cpu{cpu}/topology/thread_siblings": "00000003\n" for cpu in (0, 1)}
    topology = read_topology(with_files(FOUR, **changes))
    assert [str(core.cpus) for core in topology.cores] == ["0-1", "2", "3"]


def test_a_cpu_claimed_by_several_nodes_belongs_to_the_smallest() -> None:
    spec = Machine(spots=grid(sockets=2, cores_per_node=4))
    topology = read_topology(with_files(spec, **{"/sys/devices/system/node/node0/cpulist": "0-7\n"}))
    assert {node.number: str(node.cpus) for node in topology.nodes} == {0: "0-3", 1: "4-7"}
    assert any("claimed by several" in note for note in topology.notes)


def test_a_machine_without_numa_files_is_one_node() -> None:
    files = {f"{CPU}/online": "0-3\n", "/proc/meminfo": "MemTotal:        2048000 kB\n"}
    (node,) = read_topology(Snapshot(files)).nodes
    assert (node.number, str(node.cpus), node.memory_bytes) == (0, "0-3", 2048000 * 1024)


def test_a_shell_confined_to_housekeeping_still_sees_the_whole_host() -> None:
    confined = with_files(FOUR, **{"/proc/self/status": "Cpus_allowed_list:\t0\n"})
    assert str(read_topology(confined).usable) == "0-3"


def test_in_a_container_only_the_allowed_cpus_are_ours() -> None:
    topology = read_topology(machine(CASES["container-of-six"]))
    assert (str(topology.usable), str(topology.not_ours)) == ("0-5", "6-15")


def test_an_affinity_that_we_wrote_ourselves_does_not_make_cpus_foreign() -> None:
    without_groups: dict[str, str | None] = {
        "/sys/fs/cgroup/cpuset.cpus.effective": None,
        "/sys/fs/cgroup/cgroup.type": None,
        "/proc/self/status": "Cpus_allowed_list:\t0-1\n",
    }
    assert str(read_topology(with_files(FOUR, **without_groups)).usable) == "0-1"
    ours = {**without_groups, "/etc/systemd/system.conf.d/90-hft.conf": "CPUAffinity=0-1\n"}
    assert str(read_topology(with_files(FOUR, **ours)).usable) == "0-3"


def test_names_that_no_kernel_gives_are_not_repeated() -> None:
    odd = {"/sys/class/net/\x1b[31mevil/device/numa_node": "0\n", "/sys/class/net/a b/device/vendor": "1\n"}
    assert [nic.name for nic in read_topology(with_files(FOUR, **odd)).nics] == ["eth0"]


def test_devices_are_found_on_the_pci_bus_when_no_network_class_was_captured() -> None:
    files = {
        f"{CPU}/online": "0-3\n",
        "/sys/bus/pci/devices/0000:81:00.0/class": "0x020000\n",
        "/sys/bus/pci/devices/0000:81:00.0/numa_node": "1\n",
        "/sys/bus/pci/devices/0000:00:1f.0/class": "0x060100\n",
    }
    (nic,) = read_topology(Snapshot(files)).nics
    assert (nic.name, nic.node) == ("pci-0000:81:00.0", 1)


def test_a_virtio_device_is_on_the_node_of_its_parent() -> None:
    parent = {"/sys/class/net/eth0/device/numa_node": None, "/sys/class/net/eth0/device/../numa_node": "1\n"}
    assert read_topology(with_files(FOUR, **parent)).nics[0].node == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/proc/sys/vm/stat_interval", "120\n"),
        ("/proc/self/status", "Cpus_allowed_list:\t0\n"),
        ("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "32\n"),
        ("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       67200000 kB\n"),
        ("/proc/cmdline", "quiet isolcpus=2-3\n"),
        ("/proc/irq/24/effective_affinity_list", "0\n"),
        ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "hpet\n"),
    ],
)
def test_the_digest_does_not_depend_on_what_tuning_or_time_change(path: str, text: str) -> None:
    assert (
        read_topology(with_files(FOUR, **{path: text})).digest() == read_topology(with_files(FOUR)).digest()
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{CPU}/online", "0-2\n"),
        (f"{CPU}/cpu1/topology/thread_siblings_list", "1-2\n"),
        (f"{CPU}/cpu1/cache/index3/shared_cpu_list", "1\n"),
        ("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       6720000 kB\n"),
        ("/sys/class/net/eth0/device/numa_node", "-1\n"),
        ("/proc/sys/vm/stat_interval", None),
        ("/proc/sys/kernel/osrelease", "6.1.0-57-amd64\n"),
    ],
)
def test_the_digest_is_another_one_for_another_machine(path: str, text: str | None) -> None:
    assert (
        read_topology(with_files(FOUR, **{path: text})).digest() != read_topology(with_files(FOUR)).digest()
    )


@pytest.mark.parametrize(
    ("version", "answer"),
    [("6.1.0-56-amd64", True), ("5.16.0", True), ("5.15.9-rc1", False), ("4.19", False), ("odd", None)],
)
def test_kernel_versions_are_compared_by_number(version: str, answer: bool | None) -> None:
    topology = read_topology(with_files(FOUR, **{"/proc/sys/kernel/osrelease": version}))
    assert topology.kernel_at_least(5, 16) is answer


def test_a_file_that_is_asked_for_by_name_and_by_pattern_is_one_file() -> None:
    """`init.scope/cpuset.cpus` is both; read twice it was a value with a NUL, which no host would take."""
    once = "sys/fs/cgroup/init.scope/cpuset.cpus\0\n\0"
    body = f"hft-capture 1\0=absent\0=links\0=files\0{once}{once}=cpuinfo\0\0=lines\0\0=end\0" + "0\0\n"
    seen = parse_capture(f"{body}{body.count(chr(10))}\n")
    assert seen.files["/sys/fs/cgroup/init.scope/cpuset.cpus"] == "\n"
