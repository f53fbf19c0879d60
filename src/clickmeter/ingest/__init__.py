"""From a request's body to rows on disk."""
