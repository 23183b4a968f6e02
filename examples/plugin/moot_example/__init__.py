"""A plug-in for moot, to copy: a protocol, an agent, a judge, an exporter and an import format, one file each."""
