"""What every API request goes through: key, parameters, faults, idempotency, one transaction."""

import asyncio
import hmac
import json
import logging
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, Response

from services.stripe_sandbox.endpoints import Endpoint
from services.stripe_sandbox.errors import Body, StripeError, error_body, invalid, server_error
from services.stripe_sandbox.faults import take_fault
from services.stripe_sandbox.forms import nested
from services.stripe_sandbox.idempotency import Answer
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.settings import API_VERSION
from services.stripe_sandbox.store import new_id
from services.stripe_sandbox.work import Origin

logger = logging.getLogger(__name__)

# How long a request whose answer is never sent is held, if its client does not give up.
HOLD_SECONDS = 120
MAX_KEY_LENGTH = 255
LOCKED = error_body(
    "invalid_request_error",
    "This object cannot be accessed right now because another API request or Stripe process is"
    " currently accessing it. If you see this error intermittently, retry the request. If you see"
    " this error frequently and are making multiple concurrent requests to a single object, make"
    " your requests serially or at a lower rate.",
    "lock_timeout",
)
AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that was let in."""

    endpoint: Endpoint
    ids: list[str]
    params: Body
    target: str
    origin: Origin
    version: str

    @property
    def is_control(self) -> bool:
        """Whether a test controls the sandbox; that never fails on order."""
        return self.endpoint.path.startswith("/sandbox/")


class Api:
    """Answers the endpoints."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def answer(self, endpoint: Endpoint, request: AnyRequest) -> Response[bytes]:
        """One request, from its key to its answer."""
        origin = Origin(
            request_id=new_id("req"),
            idempotency_key=request.headers.get("idempotency-key"),
        )
        version = request.headers.get("stripe-version", API_VERSION)
        try:
            asked = await self._read(endpoint, request, origin, version)
            with self._sandbox.keys.using(asked.origin.idempotency_key):
                return await self._faulty(asked, request)
        except StripeError as error:
            return refusal(error, origin, version)

    async def _read(
        self, endpoint: Endpoint, request: AnyRequest, origin: Origin, version: str
    ) -> Asked:
        """Let a request in and read it. Raises StripeError."""
        params = await _parameters(request)
        public = _is_public(request, params, self._sandbox)
        if public and not endpoint.public:
            raise invalid(
                "This API call cannot be made with a publishable API key. Please use a secret API"
                " key.",
                code="secret_key_required",
                status=401,
            )
        if len(origin.idempotency_key or "") > MAX_KEY_LENGTH:
            raise invalid("Idempotency keys can be at most 255 characters long.")
        return Asked(
            endpoint=endpoint,
            ids=[str(each) for each in request.path_params.values()],
            params=endpoint.parameters.parse(params),
            target=f"{request.method} {request.url.path}",
            # Only POST heeds a key: the others may be repeated anyway.
            origin=replace(
                origin,
                public=public,
                idempotency_key=origin.idempotency_key if request.method == "POST" else None,
            ),
            version=version,
        )

    def _take(self, kind: str, asked: Asked) -> Body | None:
        """The options of a fault that is ordered for this request, inside a transaction."""
        if asked.is_control:
            return None
        return take_fault(self._sandbox.store, kind, asked.target)

    def _take_now(self, kind: str, asked: Asked) -> Body | None:
        with self._sandbox.store.transaction():
            return self._take(kind, asked)

    async def _faulty(self, asked: Asked, request: AnyRequest) -> Response[bytes]:
        """The answer, with the faults that a test has ordered for it."""
        if (slow := self._take_now("slow", asked)) is not None:
            await asyncio.sleep(float(slow.get("seconds", 10)))
        if self._take_now("lock_timeout", asked) is not None:
            raise StripeError(429, LOCKED)
        if self._take_now("reset_before", asked) is not None:
            return _reset(request)
        answer, replayed = self._done(asked)
        if not replayed and self._take_now("reset_after", asked) is not None:
            return _reset(request)
        if not replayed and self._take_now("timeout_after", asked) is not None:
            await _until_given_up(request)
            return _reset(request)
        return _response(asked, answer, replayed=replayed)

    def _done(self, asked: Asked) -> tuple[Answer, bool]:
        """The answer, and whether it is that of an earlier request with the same key."""
        key, keys = asked.origin.idempotency_key, self._sandbox.keys
        parameters = json.dumps(asked.params, sort_keys=True, default=str)
        with self._sandbox.store.transaction():
            earlier = keys.find(key, asked.target, parameters) if key else None
            if earlier is not None:
                return earlier, True
            status, body = self._executed(asked)
            answer = Answer(status, json.dumps(body).encode(), asked.origin.request_id or "")
            if key:
                keys.remember(key, asked.target, parameters, answer)
        self._sandbox.wake()
        return answer, False

    def _executed(self, asked: Asked) -> tuple[int, Body]:
        """Do the work; a refusal undoes it, unless it keeps what happened."""
        if self._take("error_before", asked) is not None:
            return 500, {"error": server_error()}
        if (refusal := self._take("refuse", asked)) is not None:
            return 400, {"error": invalid("Refused for a test.", code=refusal.get("code")).error}
        kept: StripeError | None = None
        work = self._sandbox.work(asked.origin)
        try:
            with work.attempt():
                try:
                    body = asked.endpoint.answer(work, asked.params, *asked.ids)
                    body = self._sandbox.render(body, asked.params.get("expand", []))
                except StripeError as error:
                    if not error.keeps_changes:
                        raise
                    kept = error
        except StripeError as error:
            return error.status, {"error": self._sandbox.render(error.error, [])}
        if self._take("error_after", asked) is not None:
            return 500, {"error": server_error()}
        if kept is not None:
            return kept.status, {"error": self._sandbox.render(kept.error, [])}
        return 200, body


async def _parameters(request: AnyRequest) -> Body:
    """The parameters as nested strings: their types are the endpoint's to say."""
    if request.method != "POST":
        return nested(parse_qsl(request.url.query, keep_blank_values=True))
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            params = _as_strings(json.loads(body or b"{}"))
        else:
            params = nested(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError:
        raise invalid("The body of the request cannot be read.") from None
    if not isinstance(params, dict):
        raise invalid("The body of the request has to be an object.")
    return params


def _as_strings(value: Any) -> Any:
    """JSON in the form that a form gives."""
    if isinstance(value, dict):
        return {name: _as_strings(each) for name, each in value.items()}
    if isinstance(value, list):
        return {str(number): _as_strings(each) for number, each in enumerate(value)}
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _is_public(request: AnyRequest, params: Body, sandbox: Sandbox) -> bool:
    """Whether the key is the publishable one. Raises StripeError for a wrong one or none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        given = str(params.get("key", ""))
    if not given:
        raise _unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    settings = sandbox.settings
    if hmac.compare_digest(given.encode(), settings.stripe_secret_key.encode()):
        return False
    if hmac.compare_digest(given.encode(), settings.stripe_publishable_key.encode()):
        return True
    shown = re.sub(r"(?<=.{8}).(?=.{4})", "*", given)
    raise _unauthorized(f"Invalid API Key provided: {shown}")


def _unauthorized(message: str) -> StripeError:
    return StripeError(401, error_body("invalid_request_error", message))


def _reset(request: AnyRequest) -> Response[bytes]:
    """Cut the connection; what is returned is not sent any more."""
    extensions: Any = request.scope["extensions"]
    extensions["sandbox"]["abort"]()
    return Response(b"")


async def _until_given_up(request: AnyRequest) -> None:
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        logger.info("a client waited to the end for an answer that was not to come")


def _headers(origin: Origin, version: str) -> dict[str, str]:
    headers = {"Request-Id": origin.request_id or "", "Stripe-Version": version}
    if origin.idempotency_key:
        headers["Idempotency-Key"] = origin.idempotency_key
    return headers


def _response(asked: Asked, answer: Answer, *, replayed: bool) -> Response[bytes]:
    headers = _headers(asked.origin, asked.version)
    if asked.origin.idempotency_key:
        headers["Original-Request"] = answer.request_id
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(
        answer.body, status_code=answer.status, media_type="application/json", headers=headers
    )


def refusal(error: StripeError, origin: Origin, version: str = API_VERSION) -> Response[bytes]:
    """A refusal as Stripe writes it."""
    return Response(
        json.dumps({"error": error.error}).encode(),
        status_code=error.status,
        media_type="application/json",
        headers=_headers(origin, version),
    )
