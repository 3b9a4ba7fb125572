"""What `make run` starts: servers and processes of one installation, on this machine."""
