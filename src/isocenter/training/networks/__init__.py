"""Networks by name, for recipes that train any of several, and what they are taught."""
