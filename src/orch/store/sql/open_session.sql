select body from sessions where last_seq = 0
