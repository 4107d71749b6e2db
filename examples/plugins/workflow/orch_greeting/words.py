"""What the agent is told. A run keeps this text too, as it was when the run began."""

PROMPT = "Write a friendly greeting into GREETING.md.\n\n{body}"
