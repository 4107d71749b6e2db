"""The service: one process that holds the engine's lock for life and works the queue.

Invariant: it knows the rooms only through `orch.compose`; faces start it
and talk to it.
"""
