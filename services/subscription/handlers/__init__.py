"""What subscription does about facts, requests and usage."""
