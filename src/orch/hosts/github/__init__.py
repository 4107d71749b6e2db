"""GitHub's API: REST, and GraphQL where it saves requests. `client.connect` is the way in.

Invariant: what surely failed is raised, what may have happened is an `Unknown` that the caller
answers by looking, and a list is whole or an error.
"""
