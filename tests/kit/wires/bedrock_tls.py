"""TLS before a loopback server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopback import Loopback

CERTIFICATE = Path(__file__).with_name("bedrock_tls.pem")


@contextmanager
def secured(server: Loopback, secure: bool = True) -> Iterator[dict[str, Any]]:
    """How a model reaches the server: through a front that takes TLS off, or as it is."""
    if not secure:
        yield {}
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the front is taken down
            behind = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer))

    async def serve() -> None:
        listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
        ports.append(listening.sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(10):  # let what was aborted be closed
            await asyncio.sleep(0)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run, name="tls", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield {"endpoint_url": f"https://127.0.0.1:{ports[0]}", "client_kwargs": {"verify": str(CERTIFICATE)}}
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
