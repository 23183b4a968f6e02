"""Questions about Boolean circuits, and the files that hold them.

Rule of this room: circuits and their formats; the debates about them are protocols."""
