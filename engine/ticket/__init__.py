"""Who may trade: the host's ticket issuer, the epoch authority, signed limits.

Standard library only, and OpenSSH's `ssh-keygen -Y` for signatures (SSHSIG), so that all of it runs on a bare
host. What it does not protect against: root on the engine's host. Root reads the host's key and signs any
ticket, or stops the issuer and puts another in its place; `exec` after the ticket was issued is not seen
either, since a process keeps pid and start time across it. A ticket stops the wrong binary, the stray copy
and the forgotten process, not an attacker who owns the machine.
"""
