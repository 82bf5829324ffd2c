"""What a snapshot says about CPUs, caches, nodes, devices and kernel."""
