"""What networks learn from: scans, damage and k-space, drawn by seed and index."""
