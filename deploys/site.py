"""The deploy file for pyinfra's own command line: `pyinfra inventory/lab.py deploys/site.py`.

It applies runtime settings and stages the boot change. It reboots only with `--data reboot=yes` and exactly
one failure domain selected; otherwise it ends with the sentence what to run. `--dry` lists every pending
setting. pyinfra executes this file once for each host, so it holds two calls and nothing else.
"""

from deploys.pyinfra.converge import converge
from deploys.pyinfra.operations.reboot import reboot_when_asked

converge()
reboot_when_asked()
