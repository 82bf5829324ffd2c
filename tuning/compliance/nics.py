"""Whether the parameters of network ports are as planned, by the agent's record of what the drivers said."""

from __future__ import annotations

from tuning.compliance.observed import Compliance, not_known
from tuning.nic_table import text_of
from tuning.plan.setting import NicParameter
from tuning.seen_nics import LACKS, SEEN_NICS_FILE, read_seen_nics
from tuning.snapshot.files import Snapshot


def parameter_holds(setting: NicParameter, snapshot: Snapshot) -> Compliance:
    """The recorded value is the planned one; what the driver does not have is excused, and named."""
    boot_id = snapshot.text("/proc/sys/kernel/random/boot_id")
    record = read_seen_nics(snapshot.text(SEEN_NICS_FILE), boot_id)
    seen = None if record is None else record.find(setting.device, setting.knob)
    what = f"{setting.knob} of {setting.device}"
    if seen is None:
        return not_known(f"{what} was not asked for in this boot")
    if not isinstance(seen, str):
        text, most = text_of(seen), record.most.get(setting.device, {}).get(setting.knob) if record else None
        is_most = setting.is_capped and most is not None and seen == most < int(setting.value)
        said = f"{what} is {text or 'empty'}" + (", the driver's maximum" if is_most else "")
        return Compliance(is_most or text == setting.value, text, said)
    if seen in LACKS:
        return Compliance(True, None, "the driver has none", excused=f"the driver has no {what} ({seen})")
    return not_known(f"{what}: {seen}")
