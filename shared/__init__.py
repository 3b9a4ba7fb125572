"""What every service stands on: contracts, the chassis, and the client that agents import."""
