"""What invoicing remembers. The billing profile is locked before anything it owns."""
