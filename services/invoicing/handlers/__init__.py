"""What invoicing does about facts and requests."""
