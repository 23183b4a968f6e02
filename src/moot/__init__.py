"""moot: scalable-oversight protocols as programs."""
