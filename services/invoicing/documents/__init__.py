"""Invoices and credit notes as pages: the same sheet as PDF and as HTML."""
