"""A source of events in another language, for the bridges in examples/express: one numbered tick after the other.

It keeps nothing: a stream goes on after the id the client names, so that a client which comes back misses nothing,
also when this program was started anew meanwhile.
"""

import asyncio
import hmac
import json
import os
from typing import AsyncIterator

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse

TICK_SECONDS = float(os.environ.get("TICK_MS", "1000")) / 1000
TOKEN = os.environ.get("UPSTREAM_TOKEN", "")

app = FastAPI()
open_streams = 0


async def ticks(after: int, user_id: str | None) -> AsyncIterator[str]:
    global open_streams
    open_streams += 1
    try:
        n = after
        while True:
            n += 1
            data = {"n": n}
            if user_id is not None:
                data["userId"] = user_id
            yield f"id: {n}\nevent: tick\ndata: {json.dumps(data)}\n\n"
            await asyncio.sleep(TICK_SECONDS)
    finally:
        open_streams -= 1


def position(last_event_id: str | None) -> int:
    """The number in an id; anything else is no position."""
    # Python reads no number of more than 4300 digits.
    return int(last_event_id) if last_event_id is not None and last_event_id.isdecimal() and len(last_event_id) < 20 else 0


@app.get("/sse")
async def sse(
    authorization: str = Header(""),
    last_event_id: str | None = Header(None),
    x_upstream_to: str | None = Header(None),
) -> StreamingResponse:
    if TOKEN and not hmac.compare_digest(authorization.encode(), f"Bearer {TOKEN}".encode()):
        raise HTTPException(status_code=401, detail="the token is missing or wrong")
    return StreamingResponse(
        ticks(position(last_event_id), x_upstream_to),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


@app.get("/health")
async def health() -> dict[str, object]:
    return {"status": "ok", "streams": open_streams}
