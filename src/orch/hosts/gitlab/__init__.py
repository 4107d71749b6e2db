"""GitLab: one client for gitlab.com and servers of one's own.

Invariant: the only room that speaks with GitLab; adapters in `trackers` and `forges` stand on it.
"""
