"""Builds the web page beside what already runs, and tells how far it is."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

from deploy.frontend import is_fresh
from deploy.local.options import Options
from deploy.local.parts import ROOT
from deploy.local.screen import Screen


async def build_page(screen: Screen, options: Options) -> None:
    """Build the page if it is out of date; the API works without it, so a failure ends nothing."""
    if not options.builds_page or await asyncio.to_thread(is_fresh):
        return
    screen.say("\nThe web page is being built; everything else works already.", style="bold")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.frontend"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # so that all of it can be ended at once
    )
    try:
        async for line in _lines(child):
            screen.say(line.decode(errors="replace").rstrip())
        if await child.wait() == 0:
            screen.say(f"The web page is at {options.address}", style="bold green")
        else:
            screen.say("Try again with: make ui", style="yellow")
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()


async def _lines(child: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    while child.stdout is not None and (line := await child.stdout.readline()):
        yield line
