"""`make bench`: this bundle, plain pyinfra and ansible-core side by side, and the planner on 1,024 CPUs."""
