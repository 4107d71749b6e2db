"""Agent programs: how each is started, and what its answer means.

Invariant: what an agent says can make an outcome worse, never better (H4, H18): exit codes, the
result file and git decide. Modules here know neither tmux nor git nor the engine.
"""
