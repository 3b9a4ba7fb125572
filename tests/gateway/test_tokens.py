"""Which tokens are let in: a corpus of forgeries, published keys, service keys, settings."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import tokens
from services.gateway.jwks import FRESH_FOR, PAUSE, STALE_FOR, PublishedKeys, fetch_from, read_keys
from services.gateway.service_keys import ServiceKeys, new_service_key
from services.gateway.settings import GatewaySettings, check
from services.gateway.verification import (
    MAX_PROVEN,
    PROVEN_FOR,
    KeysUnavailable,
    SharedSecret,
    TokenRefused,
    TokenVerifier,
)
from shared.clock import FixedClock
from shared.settings import SettingsError
from tests.gateway.scripted import NOW, SECRET, part, settings, token, unsigned

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def verifier(clock: FixedClock | None = None) -> TokenVerifier:
    return TokenVerifier(SharedSecret(SECRET), "billing", "billing", clock or FixedClock(NOW))


def seconds(after: timedelta) -> int:
    return int((NOW + after).timestamp())


def tampered() -> str:
    header, _, signature = token().split(".")
    claims = {"sub": "eve", "iss": "billing", "aud": "billing", "exp": seconds(timedelta(hours=1))}
    return f"{header}.{part(claims)}.{signature}"


def with_header(**changes: Any) -> str:
    return jwt.encode(
        jwt.decode(token(), options={"verify_signature": False}),
        SECRET,
        algorithm="HS256",
        headers=changes,
    )


REFUSED: dict[str, Callable[[], str]] = {
    "empty": str,
    "not a token": lambda: "rubbish",
    "three dots": lambda: "...",
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "alg none": lambda: unsigned(token()),
    "alg None": lambda: f"{part({'alg': 'None'})}.{token().split('.')[1]}.",
    "alg missing": lambda: f"{part({})}.{token().split('.')[1]}.x",
    "alg not text": lambda: f"{part({'alg': ['HS256']})}.{token().split('.')[1]}.x",
    "another secret": lambda: token(secret="another secret of the tests, long enough"),
    "a stronger hash": lambda: token(algorithm="HS512", secret=SECRET * 2),
    "tampered": tampered,
    "critical extension": lambda: with_header(crit=["exp"]),
    "too long": lambda: token(note="x" * 10_000),
    "not ASCII": lambda: token() + "é",
    "deep header": lambda: f"{part([])[:-1]}{'W1tb' * 1500}.e30.x",
    "wrong issuer": lambda: token(iss="other"),
    "wrong audience": lambda: token(aud="other"),
    "other audiences": lambda: token(aud=["a", "b"]),
    "no issuer": lambda: token(iss=None),
    "no audience": lambda: token(aud=None),
    "no subject": lambda: token(sub=None),
    "no end": lambda: token(exp=None),
    "subject not text": lambda: token(sub=5),
    "subject empty": lambda: token(sub=""),
    "subject with a line break": lambda: token(sub="a\r\nBilling-Principal: b"),
    "subject too long": lambda: token(sub="a" * 200),
    "end as text": lambda: token(exp=str(seconds(timedelta(hours=1)))),
    "end is not a number": lambda: token(exp=float("nan")),
    "end beyond numbers": lambda: token(exp=10**400),
    "end true": lambda: token(exp=True),
    "long ended": lambda: token(exp=0),
    "not yet": lambda: token(nbf=seconds(timedelta(minutes=5))),
    "organizations as list": lambda: token(orgs=["acme"]),
    "role not text": lambda: token(orgs={"acme": 5}),
    "operator as text": lambda: token(operator="true"),
    "a list": lambda: jwt.api_jws.encode(b"[]", SECRET, algorithm="HS256"),
    "deep claims": lambda: jwt.api_jws.encode(b'{"a":' * 900, SECRET, algorithm="HS256"),
    "not UTF-8": lambda: jwt.api_jws.encode(b'{"sub":"\xff"}', SECRET, algorithm="HS256"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_forged_or_broken_token_is_refused(name: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        await verifier().verify(REFUSED[name]())

    assert refused.value.denial.status == 401


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
async def test_no_text_breaks_the_verifier(text: str) -> None:
    for candidate in (text, f"{text}.{text}.{text}", f"{part({'alg': 'HS256'})}.{text}.{text}"):
        with pytest.raises(TokenRefused):
            await verifier().verify(candidate)


async def test_a_good_token_tells_who_where_and_until_when() -> None:
    principal = await verifier().verify(token(orgs={"acme": "viewer"}, aud=["x", "billing"]))

    assert principal.name == "user:alice"
    assert principal.roles == {"acme": "viewer"}
    assert not principal.is_operator
    assert principal.expires_at == NOW + timedelta(hours=1)


async def test_roles_and_organizations_that_we_do_not_know_give_no_access() -> None:
    orgs = {"acme": "root", "a.b": "owner", "*": "owner", "": "owner", "x\n": "owner", "b": "owner"}

    assert (await verifier().verify(token(orgs=orgs))).roles == {"b": "owner"}


async def test_a_token_may_lack_organizations() -> None:
    assert (await verifier().verify(token(orgs=None))).roles == {}


async def test_clocks_may_differ_by_thirty_seconds() -> None:
    await verifier().verify(token(exp=seconds(-timedelta(seconds=29))))
    await verifier().verify(token(nbf=seconds(timedelta(seconds=29))))
    await verifier().verify(token(iat=seconds(timedelta(seconds=5))))
    with pytest.raises(TokenRefused):
        await verifier().verify(token(exp=seconds(-timedelta(seconds=31))))


async def test_a_token_ends_when_its_time_comes() -> None:
    clock = FixedClock(NOW)
    text = token()
    await verifier(clock).verify(text)

    clock.advance(timedelta(hours=1, seconds=31))

    with pytest.raises(TokenRefused) as refused:
        await verifier(clock).verify(text)
    assert refused.value.denial.code == "token_expired"


async def test_a_signature_is_proven_once_a_minute_and_a_forgery_every_time() -> None:
    class Counting(SharedSecret):
        asked = 0

        async def key_for(self, header: dict[str, Any]) -> str:
            self.asked += 1
            return await super().key_for(header)

    keys, clock = Counting(SECRET), FixedClock(NOW)
    judge = TokenVerifier(keys, "billing", "billing", clock)

    for _ in range(3):
        await judge.verify(token())
    assert keys.asked == 1
    clock.advance(PROVEN_FOR + timedelta(seconds=1))
    await judge.verify(token())
    assert keys.asked == 2
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await judge.verify(tampered())
    assert keys.asked == 5


async def test_a_flood_of_tokens_is_remembered_within_bounds() -> None:
    judge = verifier()
    for number in range(MAX_PROVEN + 100):
        await judge.verify(token(sub=f"user-{number}"))

    assert len(judge._proven) == MAX_PROVEN


class Issuer:
    """Publishes keys, or is away."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.away = False

    async def fetch(self) -> bytes:
        self.fetched += 1
        if self.away:
            raise OSError("away")
        return json.dumps({"keys": self.keys}).encode()


def public_jwk(key: Any, kid: str, **changes: Any) -> dict[str, Any]:
    algorithm: Any = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    found = next(each for kind, each in algorithm.items() if isinstance(key, kind))
    return {**json.loads(found.to_jwk(key.public_key())), "kid": kid, **changes}


def signed(key: Any, algorithm: str, kid: str | None, **changes: Any) -> str:
    claims = {**jwt.decode(token(), options={"verify_signature": False}), **changes}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def keyed(issuer: Issuer, clock: FixedClock) -> TokenVerifier:
    return TokenVerifier(PublishedKeys(issuer.fetch, clock), "billing", "billing", clock)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")]
)
async def test_a_token_signed_with_a_published_key_is_let_in(key: Any, algorithm: str) -> None:
    issuer, clock = Issuer(public_jwk(key, "k1")), FixedClock(NOW)
    judge = keyed(issuer, clock)

    for _ in range(3):
        assert (await judge.verify(signed(key, algorithm, "k1"))).name == "user:alice"
    assert issuer.fetched == 1


async def test_a_published_key_proves_only_what_it_signed_itself() -> None:
    judge = keyed(Issuer(public_jwk(RSA_KEY, "k1")), FixedClock(NOW))
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # HS256 with the public key as its secret: the classic confusion. PyJWT refuses to make it.
    header = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    body = f"{part(header)}.{token().split('.')[1]}"
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        body.encode(), public
    )
    confused = f"{body}.{jwt.utils.base64url_encode(mac).decode()}"
    forgeries = [
        confused,
        signed(EC_KEY, "ES256", "k1"),
        signed(RSA_KEY, "RS512", "k1"),
        signed(rsa.generate_private_key(65537, 2048), "RS256", "k1"),
        signed(RSA_KEY, "RS256", None),
        signed(RSA_KEY, "RS256", "../../etc/passwd"),
        signed(RSA_KEY, "RS256", "k1' OR 1=1 --"),
        signed(RSA_KEY, "RS256", "k1", iss="other"),
        signed(RSA_KEY, "RS256", "k1", aud="other"),
        unsigned(token()),
        token(),
    ]

    for forged in forgeries:
        with pytest.raises(TokenRefused):
            await judge.verify(forged)


def test_only_keys_that_may_sign_are_taken_from_a_key_set() -> None:
    document = {
        "keys": [
            public_jwk(RSA_KEY, "good"),
            public_jwk(RSA_KEY, "for encryption", use="enc"),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "a shared secret"},
            public_jwk(EC_KEY, "fine", use="sig"),
            {key: value for key, value in public_jwk(EC_KEY, "x").items() if key != "kid"},
        ]
    }

    found = read_keys(json.dumps(document).encode(), PublishedKeys.algorithms)

    assert set(found) == {"good", "fine"}


async def test_a_rotated_key_is_found_but_unknown_keys_do_not_flood_the_issuer() -> None:
    issuer, clock = Issuer(public_jwk(RSA_KEY, "k1")), FixedClock(NOW)
    judge = keyed(issuer, clock)
    await judge.verify(signed(RSA_KEY, "RS256", "k1"))
    issuer.keys.append(public_jwk(EC_KEY, "k2"))

    for _ in range(20):
        with pytest.raises(TokenRefused):
            await judge.verify(signed(EC_KEY, "ES256", "k2"))
    assert issuer.fetched == 1
    clock.advance(PAUSE)

    await judge.verify(signed(EC_KEY, "ES256", "k2"))
    assert issuer.fetched == 2


async def test_keys_outlive_an_outage_of_their_issuer_for_a_day() -> None:
    issuer, clock = Issuer(public_jwk(RSA_KEY, "k1")), FixedClock(NOW)
    judge = keyed(issuer, clock)
    text = signed(RSA_KEY, "RS256", "k1", exp=seconds(timedelta(days=3)))
    await judge.verify(text)
    issuer.away = True

    clock.advance(FRESH_FOR + timedelta(seconds=1))
    await judge.verify(text)
    clock.advance(STALE_FOR)

    with pytest.raises(KeysUnavailable):
        await judge.verify(text)


async def test_without_any_key_nothing_is_judged() -> None:
    issuer = Issuer()
    issuer.away = True

    with pytest.raises(KeysUnavailable):
        await keyed(issuer, FixedClock(NOW)).verify(signed(RSA_KEY, "RS256", "k1"))


@contextmanager
def serving(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """An issuer's web server; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
        thread.join()


async def test_keys_are_fetched_from_their_address_and_from_no_other() -> None:
    document = json.dumps({"keys": [public_jwk(RSA_KEY, "k1")]}).encode()
    clock = FixedClock(NOW)
    text = signed(RSA_KEY, "RS256", "k1")
    with serving(200, document) as good, serving(302, b"", Location=good) as elsewhere:
        judge = TokenVerifier(PublishedKeys(fetch_from(good), clock), "billing", "billing", clock)
        assert (await judge.verify(text)).name == "user:alice"
        sent_on = PublishedKeys(fetch_from(elsewhere), clock)
        with pytest.raises(KeysUnavailable):
            await sent_on.key_for({"kid": "k1", "alg": "RS256"})


def test_a_service_key_is_known_by_its_hash_only() -> None:
    key, entry = new_service_key("platform")
    other, other_entry = new_service_key("ci")
    keys = ServiceKeys(f"{entry}, {other_entry}")

    assert key not in entry
    for text, name in ((key, "service:platform"), (other, "service:ci")):
        found = keys.find(text)
        assert found is not None
        assert (found.name, found.kind, found.roles) == (name, "service", {})
    assert keys.find(key[:-1]) is None
    assert ServiceKeys("").find(key) is None


@pytest.mark.parametrize("text", ["platform", "platform=abc", "=" + "a" * 64, "P=" + "a" * 64])
def test_a_malformed_service_key_is_named_but_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError, match="SERVICE_KEYS") as error:
        ServiceKeys(text)
    assert text not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"auth_secret": None}, "AUTH_SECRET"),
        ({"auth_secret": "short"}, "AUTH_SECRET"),
        ({"auth_secret": "short", "auth_mode": "hs256"}, "AUTH_SECRET"),
        ({"environment": "production"}, "AUTH_MODE"),
        ({"http_host": "0.0.0.0"}, "AUTH_MODE"),
        ({"http_host": "billing.example"}, "AUTH_MODE"),
        ({"auth_mode": "jwks"}, "AUTH_JWKS_URL"),
        ({"auth_mode": "jwks", "auth_jwks_url": "http://issuer.example/k"}, "AUTH_JWKS_URL"),
        ({"auth_mode": "jwks", "auth_jwks_url": "file:///etc/passwd"}, "AUTH_JWKS_URL"),
        ({"stripe_frontend_url": "*"}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "http://*.example"}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "http://a@b.example"}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "http://a.example/path"}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "javascript:alert(1)"}, "STRIPE_FRONTEND_URL"),
    ],
)
def test_unsafe_settings_are_refused_by_name(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        check(settings(**changes))


def test_safe_settings_are_taken() -> None:
    check(settings(auth_mode="hs256", environment="production", http_host="0.0.0.0"))
    check(settings(auth_mode="jwks", auth_jwks_url="https://issuer.example/keys"))
    check(settings(http_host="::1"))


def test_origins_are_written_as_browsers_write_them() -> None:
    text = "HTTPS://App.Example:443/, http://localhost:3000 ,http://[::1]:80"

    found = settings(stripe_frontend_url=text).frontend_origins

    assert found == ("https://app.example", "http://localhost:3000", "http://[::1]")


async def test_the_command_makes_a_token_that_is_let_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.delenv("AUTH_SECRET", raising=False)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "auth_secret").write_text(f"{SECRET}\n")
    options = ["--organization", "acme", "--role", "viewer", "--operator", "--home", str(tmp_path)]

    tokens.main(options)

    text = capsys.readouterr().out.strip()
    claims = jwt.decode(text, options={"verify_signature": False})
    judge = verifier(FixedClock(NOW.fromtimestamp(claims["exp"] - 60, NOW.tzinfo)))
    principal = await judge.verify(text)
    assert principal.roles == {"acme": "viewer"}
    assert principal.is_operator


def test_the_command_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("AUTH_SECRET", raising=False)

    with pytest.raises(SystemExit, match="AUTH_SECRET"):
        tokens.main(["--home", str(tmp_path)])


def test_the_command_makes_a_service_key(capsys: pytest.CaptureFixture[str]) -> None:
    tokens.main(["--service-key", "platform"])

    key, entry = capsys.readouterr().out.split()
    assert re.fullmatch(r"bk_[\w-]{43}", key)
    assert ServiceKeys(entry).find(key) is not None


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.settings import load

    found = load(GatewaySettings, {"AUTH_MODE": "hs256", "RATE_LIMIT_BURST": "7"})

    assert (found.auth_mode, found.rate_limit_burst) == ("hs256", 7)
