"""From the rows of a study to figures with intervals, gates, tables and files.

Rule of this room: plain rows in, figures out; it plays nothing and opens no transcript."""
