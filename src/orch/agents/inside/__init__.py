"""What runs beside an agent program, in its attempt: it brings questions to a person, answers back.

Invariant: nothing in here decides for the person; without an answer it waits, for as long as the
attempt lives.
"""
