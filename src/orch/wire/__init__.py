"""What both ends of the service's socket must agree about: where it is, frames, the greeting."""
