"""The service: one process per home that drives its runs and answers on a socket."""
