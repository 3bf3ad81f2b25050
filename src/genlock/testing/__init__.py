"""The test kit that genlock ships: what its own tests use, for those who write a backend or judge stamps."""
