"""The client for Jira: Cloud (REST v3) and Data Center (REST v2), told apart by what the server says.

Invariant: nothing here is imported, and nothing asked, before a source of kind `jira` is used.
"""
