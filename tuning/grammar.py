"""What the texts may be that end up in files which root reads, in unit names and on command lines: one place.

The planner's settings, a plan that is read back, the templates, and what a host says of its own units are
held to these. None holds a line end or a control character, and none that is used as a word begins with a
dash, so that nothing becomes a second line or an option.
"""

from __future__ import annotations

import re

ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,2000}")
SETTING_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:/+-]{0,255}")
SYSCTL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,60}(?:\.[A-Za-z0-9_-]{1,60}){1,8}")
KERNEL_VALUE = re.compile(r"(?![-])[A-Za-z0-9_.,:;/=+@~^!*-]{0,1000}|")
KNOB_VALUE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\\]{0,2000}")  # tmpfiles.d(5) reads backslashes
KERNEL_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
KNOB_PATH = re.compile(r"/(?:sys|proc)/[A-Za-z0-9_.:@+/-]{1,500}")
SLICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,200}\.(?:slice|scope)|[A-Za-z0-9_-]{1,100}@?\.service")
DEVICE = re.compile(r"(?!\.{1,2}\Z)[!-.0-~]{0,15}")
NIC_WORDS = re.compile(r"[0-9a-z=][0-9a-z./= ]{0,65535}")
PCI_OR_NOTHING = re.compile(r"(?:[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])?")
UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@\\-]{0,200}\.(?:service|timer|socket|path|mount|target)")
RUNNING_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@\\-]{0,200}\.(?:service|slice|scope)")
TRANSACTION = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
