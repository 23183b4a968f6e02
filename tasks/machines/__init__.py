"""Questions about runs of Turing machines.

Rule of this room: machines as JSON values, simulated directly; no machine that asks an oracle."""
