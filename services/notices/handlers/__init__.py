"""What notices does about facts and requests."""
