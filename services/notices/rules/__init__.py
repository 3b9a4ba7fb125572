"""What notices decides: whether there is something to say, and in which words. Pure."""
