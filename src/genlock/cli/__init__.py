"""The terminal door: parses, calls a workflow, prints. A file per verb."""
