"""ON HOST: the stdlib-only program put on every host: journaled transactions, trial boot, IRQ service."""
