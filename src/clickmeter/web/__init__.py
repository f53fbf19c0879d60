"""HTTP: routes, credentials, limits, problems."""
