"""``python -m isocenter.cli``."""

from isocenter.cli import main

if __name__ == "__main__":
    main()
