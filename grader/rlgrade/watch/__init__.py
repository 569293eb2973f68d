"""Watch mode: `rlgrade` with nothing after it."""
