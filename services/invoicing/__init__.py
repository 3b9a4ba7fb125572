"""Bills every use once: usage records, invoices, payments, dunning."""
