"""What trained networks say of people they never saw, and the figures made of it."""
