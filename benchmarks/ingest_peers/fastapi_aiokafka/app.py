"""The endpoint as a Python developer writes it: FastAPI, pydantic, aiokafka. It sends on the model, written again."""

import base64
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel

KEY = os.environ["SIGNING_KEY"].encode()
TOPIC = os.environ["TOPIC"]


class Segment(BaseModel):
    """One segment."""

    Segment_ID: str
    Status: str
    DateTime: str


class User(BaseModel):
    """One user."""

    AAM_UUID: str
    DataPartner_UUID: str | None = None
    AAM_Regions: list[str] = []
    Segments: list[Segment]


class Message(BaseModel):
    """One message."""

    ProcessTime: str
    User_DPID: str
    Client_ID: str
    AAM_Destination_Id: str
    User_count: str
    Users: list[User]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["BOOTSTRAP_SERVERS"],
        acks="all",
        enable_idempotence=True,
        linger_ms=int(os.environ["LINGER_MS"]),
    )
    await app.state.producer.start()
    yield
    await app.state.producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/ingest")
async def ingest(message: Message, request: Request, x_signature: str = Header()) -> Response:
    digest = base64.b64encode(hmac.digest(KEY, await request.body(), "sha1")).decode()
    if not hmac.compare_digest(digest, x_signature):
        raise HTTPException(401)
    await request.app.state.producer.send_and_wait(TOPIC, message.model_dump_json().encode())
    return Response(status_code=200)
