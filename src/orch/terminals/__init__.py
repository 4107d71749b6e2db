"""The only room that runs tmux: programs that outlive us, one terminal each."""
