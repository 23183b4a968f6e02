"""moot beside other frameworks at the same work: `make bench-peers`, in an environment of its own."""
