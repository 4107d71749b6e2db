"""Remote services: one API client each, over one pooled HTTP and one book of what was spent.

Invariant: a host knows its service's words and nothing of tickets, forges or runs; the adapters
above turn its facts into ours. Nothing here is imported, and no HTTP library is, before it is used.
"""
