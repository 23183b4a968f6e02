"""The engine: it runs any protocol one step at a time, and knows none."""
