"""What goes wrong between a run and its server, dealt out on purpose."""
