"""The floor and the engine, and one file per protocol family."""
