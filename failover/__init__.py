"""DECIDE: from one look at gateways, engines and venue to what on-call may do next, and why. No I/O."""
