"""The shipped workflows, one file each. A run keeps the text it started with."""
