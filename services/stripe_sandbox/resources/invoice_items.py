"""/v1/invoiceitems, /v1/invoice_payments and /v1/credit_notes."""

from services.stripe_sandbox.endpoints import delete, get, post
from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.flows import crediting, invoicing
from services.stripe_sandbox.flows.catalog import amount_of, price_of
from services.stripe_sandbox.listing import conditions, list_of, page
from services.stripe_sandbox.money import check_currency
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.customer import deleted
from services.stripe_sandbox.objects.invoice import invoice_item, total_up
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    INTEGER,
    METADATA,
    TEXT,
    Fraction,
    Integer,
    ListOf,
    Text,
    choice,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import PERIOD, PRICE_DATA, without
from services.stripe_sandbox.work import Work

ITEMS = "/v1/invoiceitems"
PAYMENTS = "/v1/invoice_payments"
NOTES = "/v1/credit_notes"
ITEM = shape(
    amount=INTEGER,
    currency=Text(most=3),
    customer=needed(ID),
    description=TEXT,
    discountable=BOOLEAN,
    invoice=ID,
    metadata=METADATA,
    period=PERIOD,
    price_data=without(PRICE_DATA, "product_data", "recurring"),
    pricing=shape(price=ID),
    quantity=COUNT,
    subscription=ID,
    unit_amount_decimal=Fraction(),
)
NOTE = shape(
    amount=Integer(least=1),
    credit_amount=COUNT,
    invoice=needed(ID),
    lines=ListOf(
        shape(
            amount=COUNT,
            description=TEXT,
            invoice_line_item=ID,
            quantity=COUNT,
            type=needed(choice("custom_line_item", "invoice_line_item")),
            unit_amount=COUNT,
        )
    ),
    memo=TEXT,
    metadata=METADATA,
    out_of_band_amount=COUNT,
    reason=choice("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    refund_amount=COUNT,
)


def create_item(work: Work, params: Body) -> Body:
    """Add something to a draft, or to the customer's next invoice."""
    customer = work.get("customer", params["customer"], "customer")
    amount, given = _priced(work, params)
    target = None
    if "invoice" in params:
        target = work.get("invoice", params["invoice"], "invoice")
        if target["status"] != "draft":
            raise invalid("This invoice is no longer editable.", "invoice", "invoice_not_editable")
        if target["currency"] != given["currency"]:
            raise invalid("The currency must be that of the invoice.", "currency")
    body = work.add(
        invoice_item(customer, amount, given, work.now(customer)), "invoiceitem.created"
    )
    if target is not None:
        target["_lines"].append(invoicing.item_line(target, body))
        total_up(target)
        work.save(target, "invoice.updated")
    return body


def _priced(work: Work, params: Body) -> tuple[int, Body]:
    """The amount in cents, and the parameters with their price. Raises StripeError."""
    quantity = params.get("quantity", 1)
    if "pricing" in params or "price_data" in params:
        named = {"price": params["pricing"]["price"]} if "pricing" in params else params
        price = price_of(work, named, "pricing", recurring=False)
        given = {**params, "price": price, "currency": price["currency"]}
        return amount_of(price, quantity), given
    currency = check_currency(params.get("currency", "usd"))
    if "unit_amount_decimal" in params:
        exact = {"unit_amount_decimal": params["unit_amount_decimal"]}
        return amount_of(exact, quantity), {**params, "currency": currency}
    if "amount" not in params:
        raise lacking("amount")
    return params["amount"], {**params, "currency": currency}


def retrieve_item(work: Work, _params: Body, item_id: str) -> Body:
    """An invoice item."""
    return work.get("invoiceitem", item_id)


def change_item(work: Work, params: Body, item_id: str) -> Body:
    """Change an item that is not invoiced yet."""
    body = work.get("invoiceitem", item_id)
    if body["invoice"]:
        raise invalid("The sandbox changes only items that are on no invoice yet.")
    if "amount" in params:
        body["net_amount"] = params["amount"]
    update(body, params, "amount description")
    return work.save(body)


def delete_item(work: Work, _params: Body, item_id: str) -> Body:
    """Take an item from its draft, or from the next invoice."""
    body = work.get("invoiceitem", item_id)
    target = work.find("invoice", body["invoice"])
    if target is not None:
        if target["status"] != "draft":
            raise invalid("This invoice is no longer editable.", code="invoice_not_editable")
        target["_lines"] = [each for each in target["_lines"] if not _is_of(each, item_id)]
        total_up(target)
        work.save(target, "invoice.updated")
    work.emit("invoiceitem.deleted", body)
    return work.save(deleted(body))


def _is_of(line: Body, item_id: str) -> bool:
    details = line["parent"]["invoice_item_details"] or {}
    return bool(details.get("invoice_item") == item_id)


def list_items(work: Work, params: Body) -> Body:
    """Invoice items, newest first."""
    where = conditions(params, "customer", "invoice")
    if "pending" in params:
        where.add(f"json_extract(body, '$.invoice') IS {'' if params['pending'] else 'NOT '}NULL")
    return page(work, "invoiceitem", ITEMS, params, where)


def retrieve_payment(work: Work, _params: Body, payment_id: str) -> Body:
    """What ties an invoice to a payment."""
    return work.get("invoice_payment", payment_id)


def list_payments(work: Work, params: Body) -> Body:
    """Payments of invoices, newest first; also by the payment intent."""
    where = conditions(params, "invoice", "status")
    if "payment" in params:
        where.equals("payment.payment_intent", params["payment"].get("payment_intent"))
    return page(work, "invoice_payment", PAYMENTS, params, where)


def create_note(work: Work, params: Body) -> Body:
    """Issue a credit note."""
    return crediting.credit(work, work.get("invoice", params["invoice"], "invoice"), params)


def retrieve_note(work: Work, _params: Body, note_id: str) -> Body:
    """A credit note."""
    return work.get("credit_note", note_id)


def void_note(work: Work, _params: Body, note_id: str) -> Body:
    """Take a credit note back."""
    return crediting.void(work, work.get("credit_note", note_id))


def list_notes(work: Work, params: Body) -> Body:
    """Credit notes, newest first."""
    return page(work, "credit_note", NOTES, params, conditions(params, "customer", "invoice"))


PAYMENT = shape(payment_intent=ID, type=needed(choice("payment_intent")))
PAYMENT_FILTERS = shape(invoice=ID, payment=PAYMENT, status=choice("canceled", "open", "paid"))
ENDPOINTS = (
    post(ITEMS, create_item, ITEM),
    get(ITEMS, list_items, list_of(shape(customer=ID, invoice=ID, pending=BOOLEAN))),
    get(ITEMS + "/{invoiceitem:str}", retrieve_item),
    post(
        ITEMS + "/{invoiceitem:str}",
        change_item,
        shape(amount=INTEGER, description=TEXT, metadata=METADATA),
    ),
    delete(ITEMS + "/{invoiceitem:str}", delete_item),
    get(PAYMENTS, list_payments, list_of(PAYMENT_FILTERS)),
    get(PAYMENTS + "/{invoice_payment:str}", retrieve_payment),
    post(NOTES, create_note, NOTE),
    get(NOTES, list_notes, list_of(shape(customer=ID, invoice=ID))),
    get(NOTES + "/{id:str}", retrieve_note),
    post(NOTES + "/{id:str}/void", void_note),
)
