"""``python -m trust``: see `trust.run`."""

from trust.run import main

if __name__ == "__main__":
    main()
