"""Looking at Stripe: an event is only a hint, what is fetched is the truth, written as a whole."""

from services.stripe_gateway.handlers.looks.look import Look, LookState, Subjects, order_look

__all__ = ["Look", "LookState", "Subjects", "order_look"]
