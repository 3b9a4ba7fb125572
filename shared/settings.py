"""Settings come from the environment, once, at the start; a wrong one is one clear sentence."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and never repeats its value."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every process needs to know; field `nats_url` is read from `NATS_URL`.

    `nats_url` may name the servers of a cluster, with commas between; `nats_credentials` is the
    path of a credentials file. `time_machine`, in tests and demonstrations, is the file that says
    how far ahead of the machine's clock everybody is.
    """

    environment: Literal["development", "production"] = "development"
    nats_url: Annotated[str, Meta(pattern=r"^(nats|tls)://.")] = "nats://127.0.0.1:4222"
    nats_credentials: str | None = None
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    time_machine: str | None = None


class ServiceSettings(Settings, frozen=True, kw_only=True):
    """A service that owns tables: its database as its runtime role sees it."""

    database_url: Annotated[str, Meta(pattern=r"^postgres(ql)?://.")]


S = TypeVar("S", bound=Settings)


def settings_as(kind: type[S], given: Settings) -> S:
    """The settings as `kind`: where fewer are given, in a test, the others are the defaults."""
    if isinstance(given, kind):
        return given
    return kind(**{name: getattr(given, name) for name in given.__struct_fields__})


def load(kind: type[S], environment: Mapping[str, str] | None = None) -> S:
    """Read the settings of a process; `DATABASE_URL_FILE` names a file with `DATABASE_URL` in it.

    Raises SettingsError naming the variable and the rule it breaks.
    """
    source = os.environ if environment is None else environment
    values = {
        field.name: value
        for field in msgspec.structs.fields(kind)
        if (value := _value(field.name.upper(), source))
    }
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_sentence(kind, str(error))) from None


def _sentence(kind: type[Settings], error: str) -> str:
    rule, _, place = error.partition(" - at `$.")
    if not place:
        # A field that is missing, or a sentence of the settings' own that begins with its name.
        _, name, rest = error.split("`", 2)
        return f"Setting {name.upper()}: {rest.strip() or 'is required'}."
    name = place.rstrip("`")
    choices = get_args(get_type_hints(kind)[name])
    if rule.startswith("Invalid enum value"):  # it quotes the value, which may be a secret
        rule = f"is one of {', '.join(choices)}"
    return f"Setting {name.upper()}: {rule[0].lower()}{rule[1:]}."


def _value(name: str, source: Mapping[str, str]) -> str | None:
    """A variable, or what is in the file that it is kept in: secrets stay out of environments."""
    path = source.get(f"{name}_FILE")
    if source.get(name) or not path:
        return source.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"Setting {name}_FILE: its file cannot be read.") from None
