"""Clickmeter: self-hosted, API-first web analytics."""

from importlib.metadata import version

__version__ = version("clickmeter")
