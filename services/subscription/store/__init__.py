"""What subscription remembers. The row of an organization is locked before anything it owns."""
