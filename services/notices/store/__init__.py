"""What notices remembers. An organization's row is locked before anything is said about it."""
