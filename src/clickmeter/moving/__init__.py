"""Moving everything from one database to another, of whichever engines, while the old one serves."""
