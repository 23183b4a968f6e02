"""Questions about computations with an oracle, and the programs that debate them.

Rule of this room: what asks an oracle; the constants of the debates about it are the protocols'."""
