"""Small services over the model: they drive runs, carry out steps, and report what happened."""
