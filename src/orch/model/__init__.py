"""What exists and what is allowed: frozen data and pure rules.

Nothing in this room reads a clock, touches a file, starts a process or knows that asyncio exists.
Imports: the standard library and msgspec, nothing of ours but this room.
"""
