"""How work is written down: workflows as Python, the pure replay driver, the shipped templates."""
