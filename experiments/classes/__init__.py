"""The class table, its witnesses, and known failures."""
