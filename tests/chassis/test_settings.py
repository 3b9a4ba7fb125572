"""Settings: one sentence names what is wrong and never repeats it."""

from pathlib import Path

import pytest

from shared.settings import ServiceSettings, SettingsError, load, settings_as

DATABASE_URL = "postgresql://shop@127.0.0.1/shop"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"DATABASE_URL": ""}, "Setting DATABASE_URL: is required."),
        (
            {"DATABASE_URL": "hunter2"},
            "Setting DATABASE_URL: expected `str` matching regex '^postgres(ql)?://.'.",
        ),
        ({"HTTP_PORT": "hunter2"}, "Setting HTTP_PORT: expected `int`, got `str`."),
        ({"HTTP_PORT": "65536"}, "Setting HTTP_PORT: expected `int` <= 65535."),
        ({"ENVIRONMENT": "hunter2"}, "Setting ENVIRONMENT: is one of development, production."),
        (
            {"NATS_URL": "hunter2"},
            "Setting NATS_URL: expected `str` matching regex '^(nats|tls)://.'.",
        ),
        (
            {"DATABASE_URL": "", "DATABASE_URL_FILE": "/nowhere/hunter2"},
            "Setting DATABASE_URL_FILE: its file cannot be read.",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_its_value(
    changes: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(ServiceSettings, {"DATABASE_URL": DATABASE_URL, **changes})
    assert str(error.value) == told
    assert error.value.__cause__ is None


def test_what_is_not_set_has_its_default() -> None:
    settings = load(ServiceSettings, {"DATABASE_URL": DATABASE_URL, "HTTP_PORT": "8001", "X": "y"})
    assert settings == ServiceSettings(database_url=DATABASE_URL, http_port=8001)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(f"{DATABASE_URL}\n")
    settings = load(ServiceSettings, {"DATABASE_URL_FILE": str(path)})
    assert settings.database_url == DATABASE_URL


class Patient(ServiceSettings, frozen=True, kw_only=True):
    """A service's own."""

    patience: int = 3


def test_a_service_has_its_own_settings_whatever_it_is_given() -> None:
    given = ServiceSettings(database_url=DATABASE_URL, http_port=7)
    assert settings_as(Patient, given) == Patient(database_url=DATABASE_URL, http_port=7)
    own = Patient(database_url=DATABASE_URL, patience=4)
    assert settings_as(Patient, own) is own
