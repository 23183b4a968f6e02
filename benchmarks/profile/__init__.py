"""Where the time of benchmarks goes."""
