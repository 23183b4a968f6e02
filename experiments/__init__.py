"""Statistics of plays, the class table with its witnesses, and published results measured again.

Rule of this room: nobody below imports it. Every number it prints is computed when it is asked for."""
