"""What subscription decides, purely: moves, periods, offers, coverage, what a message says."""
