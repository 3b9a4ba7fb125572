"""The auditor: recomputes what must agree, and parks accounts whose numbers do not."""
