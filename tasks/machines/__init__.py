"""Questions about runs of Turing machines."""
