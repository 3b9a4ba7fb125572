"""What invoicing decides, purely: what a use costs, what invoices say, what dunning does."""
