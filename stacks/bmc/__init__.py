"""A BMC for the lab's bare machines: the OpenStack project's Redfish emulator over QEMU."""
