"""PLACE: real Debian kernels under QEMU, real reboots; imports no other room."""
