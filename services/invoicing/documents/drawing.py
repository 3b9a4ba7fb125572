"""Drawing apart: each PDF in a process of its own that may take so much and no more."""

import asyncio
import resource
import sys
from pathlib import Path

import msgspec

from services.invoicing.documents.document import InvoiceDocument
from services.invoicing.documents.pdf import LARGEST_PDF_BYTES, NotDrawn, fonts_folder, render_pdf

AT_ONCE = 2
DRAWING_SECONDS = 10.0
DRAWING_MEMORY_BYTES = 2 * 1024**3
LARGEST_DOCUMENT_BYTES = 2 * 1024**2
REFUSED = 3
ROOT = Path(__file__).parents[3]
MODULE = "services.invoicing.documents.drawing"


class Drawing:
    """Draws PDFs for one process, a few at a time."""

    def __init__(self, seconds: float = DRAWING_SECONDS) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(AT_ONCE)

    async def pdf(self, document: InvoiceDocument) -> bytes:
        """As `render_pdf` does it; raises NotDrawn also when it takes too long or ends badly."""
        body = msgspec.json.encode(document)
        if len(body) > LARGEST_DOCUMENT_BYTES:
            raise NotDrawn("it is too large")
        fonts = await asyncio.to_thread(fonts_folder)
        async with self._free:
            return await self._draw(body, fonts)

    async def _draw(self, body: bytes, fonts: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            fonts,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            # Nothing of ours is told: no address, no secret.
            env={},
        )
        try:
            async with asyncio.timeout(self._seconds):
                drawn, complaint = await process.communicate(body)
        except TimeoutError:
            raise NotDrawn(f"it took longer than {self._seconds:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == REFUSED:
            raise NotDrawn(complaint.decode(errors="replace")[:300])
        if process.returncode or not 0 < len(drawn) <= LARGEST_PDF_BYTES:
            raise NotDrawn(f"drawing ended with {process.returncode}, {_kind(complaint)}")
        return drawn


def _kind(complaint: bytes) -> str:
    """The kind of error that ended it, without its message, which may tell of a customer."""
    last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
    return last.partition(":")[0][:80] or "without a word"


def main(fonts: str) -> int:
    """Read a document, write its PDF; what cannot be drawn is a sentence on stderr."""
    resource.setrlimit(resource.RLIMIT_AS, (DRAWING_MEMORY_BYTES, DRAWING_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    document = msgspec.json.decode(sys.stdin.buffer.read(), type=InvoiceDocument)
    try:
        drawn = render_pdf(document, fonts)
    except NotDrawn as error:
        sys.stderr.write(str(error))
        return REFUSED
    sys.stdout.buffer.write(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
