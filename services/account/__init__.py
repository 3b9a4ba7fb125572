"""account: billing accounts, their credits, and who changed what."""
