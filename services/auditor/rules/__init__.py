"""What the auditor decides: which sums must be equal, and when a difference is a finding."""
