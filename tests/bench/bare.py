"""The least there is to an endpoint: checks the header, parses, stores nothing.

python -m tests.bench.bare PORT; the listener, the loop and its settings are the service's own.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hooks.listener import Listener, bind
from hooks.serve import GARBAGE
from tests.bench.servers import SECRET


async def receive(request: Request) -> Response:
    if not hmac.compare_digest(request.headers.get("authorization", ""), SECRET):
        return Response(status_code=401)
    await request.json()
    return Response(status_code=204)


async def serve(port: int) -> None:
    app = Starlette(routes=[Route("/okta/events", receive, methods=["POST"])])
    gc.freeze()
    gc.set_threshold(GARBAGE)
    await Listener(app, bind("127.0.0.1", port), most_connections=6_000).listen()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
