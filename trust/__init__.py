"""Do Clickmeter's promises hold? Each is a check with a figure, and a broken build that the same check must catch."""
