"""Gitea and Forgejo: one client for codeberg.org, gitea.com and servers of one's own.

Invariant: the only room that speaks with them; adapters in `trackers` and `forges` stand on it.
"""
