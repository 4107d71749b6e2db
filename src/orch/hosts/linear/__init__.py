"""Linear: its GraphQL API, as far as tickets need it.

Invariant: the only room that speaks with Linear; the adapter in `trackers` stands on it.
"""
