"""A workflow in a package of its own."""
