"""Who may trade: the host's ticket issuer, the epoch authority, signed limits.

Standard library only, and OpenSSH's `ssh-keygen -Y` for signatures (SSHSIG), so that all of it runs on a bare
host. It does not protect against root on the engine's host: root can read the host's key and sign any ticket,
or replace the issuer. An `exec` after the ticket was issued is not detected either, since a process keeps its
pid and start time. A ticket stops the wrong binary, the stray copy and the forgotten process, not an attacker
who owns the machine.
"""
