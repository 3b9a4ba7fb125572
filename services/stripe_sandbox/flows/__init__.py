"""What happens: paying, saving cards, invoicing, subscribing. Endpoints, pages and time use it."""
