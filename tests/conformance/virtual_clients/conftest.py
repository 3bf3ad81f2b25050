"""These are programs for other interpreters, which have what they import."""

collect_ignore_glob = ["*.py"]
