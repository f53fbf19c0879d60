"""What does Clickmeter manage on this machine? ``python -m bench`` measures it; ``docs/performance.md`` explains it."""
