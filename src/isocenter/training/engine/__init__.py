"""The one loop: recipes, runs, schedules, devices, splits by person."""
