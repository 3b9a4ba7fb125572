"""The one shape of every error, and how exceptions become it."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import ParameterKwarg

logger = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]
Source = Literal["body", "query", "path", "header", "cookie"]

# A client that is told "later" is told when, in seconds.
RETRY_AFTER_SECONDS = 2


class FieldError(msgspec.Struct, frozen=True):
    """One field that cannot be accepted, by the name the client gave it."""

    key: str
    message: str
    source: Source


class ErrorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every error: a sentence for the user, the status, a word for machines."""

    detail: str
    status_code: int
    code: str
    extra: list[FieldError] | msgspec.UnsetType = msgspec.UNSET


class ApiError(Exception):
    """An answer that is an error; `headers` go out with it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        fields: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.fields = fields


def invalid(key: str, message: str, source: Source = "query") -> ApiError:
    """The 422 for one field."""
    field = FieldError(key, message, source)
    return ApiError(422, "invalid_field", f"{key}: {message}", fields=[field])


def unavailable(code: str, detail: str, status: int = 503) -> ApiError:
    """Something we need is away; trying again shortly is right."""
    return ApiError(status, code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def response_of(error: ApiError) -> Response[ErrorResponse]:
    """The HTTP form of an error."""
    body = ErrorResponse(
        detail=error.detail,
        status_code=error.status,
        code=error.code,
        extra=list(error.fields) or msgspec.UNSET,
    )
    return Response(
        body, status_code=error.status, headers=error.headers, media_type=MediaType.JSON
    )


def answer_api_error(_: AnyRequest, error: ApiError) -> Response[ErrorResponse]:
    """An error that we raised ourselves."""
    return response_of(error)


def answer_validation_error(
    request: AnyRequest, error: ValidationException
) -> Response[ErrorResponse]:
    """A parameter that Litestar could not accept: 422, with the field as the client calls it."""
    fields = []
    found = error.extra if isinstance(error.extra, list) else []
    for each in found:
        key, source = _client_name(request, str(each.get("key", "")))
        fields.append(FieldError(key, str(each.get("message", "is not valid")), source))
    detail = "; ".join(f"{field.key}: {field.message}" for field in fields)
    return response_of(
        ApiError(422, "invalid_field", detail or "The request is not valid.", fields=fields)
    )


def _client_name(request: AnyRequest, key: str) -> tuple[str, Source]:
    """The name and place of a parameter on the wire; `key` is the handler's argument."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key)
    kwarg = parameter.kwarg_definition if parameter else None
    if isinstance(kwarg, ParameterKwarg):
        place: Source = kwarg.param_type.value  # type: ignore[assignment]
        return kwarg.name or key, place
    return ("body" if key == "data" else key), "body"


NOT_FOUND = ApiError(404, "not_found", "There is nothing at this address.")
REFUSED_BY_LITESTAR = {
    404: NOT_FOUND,
    405: ApiError(405, "method_not_allowed", "This address does not answer to this method."),
    413: ApiError(413, "body_too_large", "The body is larger than this address takes."),
}


def answer_http_error(request: AnyRequest, error: HTTPException) -> Response[ErrorResponse]:
    """What Litestar itself refuses: no such route, wrong method, body too large."""
    if error.status_code >= 500:
        return answer_defect(request, error)
    known = REFUSED_BY_LITESTAR.get(error.status_code)
    code, detail = (known.code, known.detail) if known else ("bad_request", error.detail)
    return response_of(ApiError(error.status_code, code, detail, headers=error.headers))


def answer_defect(request: AnyRequest, error: Exception) -> Response[ErrorResponse]:
    """A defect of ours: logged whole, told in one sentence."""
    fields = {"method": request.method, "route": request.scope.get("path_template", "")}
    logger.error("request failed", exc_info=error, extra={"fields": fields})
    return response_of(
        ApiError(500, "internal_error", "Something went wrong on our side; it has been logged.")
    )


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    ApiError: answer_api_error,
    ValidationException: answer_validation_error,
    HTTPException: answer_http_error,
    Exception: answer_defect,
}

PUBLIC_STATUSES = (400, 422, 429)
ASKING_STATUSES = (400, 401, 403, 404, 422, 429, 503, 504)
WRITING_STATUSES = (*ASKING_STATUSES, 409, 413)


def declared(*statuses: int) -> dict[int, ResponseSpec]:
    """The error responses of a route, for OpenAPI."""
    return {
        status: ResponseSpec(
            ErrorResponse, generate_examples=False, description=HTTPStatus(status).phrase
        )
        for status in sorted(statuses)
    }
