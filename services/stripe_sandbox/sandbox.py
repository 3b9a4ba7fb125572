"""One running sandbox: its store, its keys, its clockwork and its webhooks, wired together."""

from collections.abc import Callable
from pathlib import Path

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.idempotency import IdempotencyKeys
from services.stripe_sandbox.rendering import Includes, Renderer
from services.stripe_sandbox.settings import SandboxSettings
from services.stripe_sandbox.store import Store
from services.stripe_sandbox.work import Origin, Reactions, Work
from shared.clock import clock_of


class Sandbox:
    """What the API, the pages, the control routes and the loops share."""

    def __init__(self, settings: SandboxSettings, reactions: Reactions, includes: Includes) -> None:
        self.settings = settings
        self.store = Store(Path(settings.sandbox_home), clock_of(settings))
        self.keys = IdempotencyKeys(self.store)
        # Called when there may be something new to send.
        self.wake: Callable[[], None] = lambda: None
        self._reactions = reactions
        self._renderer = Renderer(self.store, includes)
        if settings.sandbox_webhook_url:
            with self.store.transaction():
                self.store.set_setting("webhook_url", settings.sandbox_webhook_url)

    def work(self, origin: Origin | None = None) -> Work:
        """A piece of work, to be done inside of a transaction."""
        return Work(self.store, self.settings, self._reactions, origin)

    def render(self, body: Body, expand: list[str]) -> Body:
        """An object as an answer shows it."""
        return self._renderer.render(body, expand)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """What events are signed with: as started, or as a test has set since."""
        changed: list[str] = self.store.setting("webhook_secrets", [])
        return tuple(changed) or self.settings.webhook_secrets
