"""Many scans: find them, name their results, run them."""
