"""What Orch needs, looked at one thing at a time: is it there, is it sound, what mends it.

Invariant: looks only; a check that cannot be made is a failed check, never a crash of the others.
"""
