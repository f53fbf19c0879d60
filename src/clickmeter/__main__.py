"""``python -m clickmeter``: the same as the command ``clickmeter``."""

from clickmeter.cli import main

if __name__ == "__main__":
    main()
