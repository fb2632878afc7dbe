"""The judging page's server: one page, three calls, nothing without the token of the link."""

import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence

import uvicorn
from fastapi import Body, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from outputs.human_page import page
from pipelines.human_answers import Answers
from schemas.errors import InputError
from schemas.identity import derive
from schemas.scenario import Value
from schemas.trial import Answer, Trial

MOST_NAME = 64

Following = Callable[[Request], Awaitable[Response]]


class State(Value):
    """What a rater sees next."""

    done: int
    total: int
    trial: Trial | None
    """None: all are answered."""


def application(trials: Sequence[Trial], answers: Answers, seed: int) -> FastAPI:
    """Everybody has an order of trials of their own. Who comes back under the same name goes on."""
    html, policy = page()
    token = answers.token()
    by_id = {trial.id: trial for trial in trials}

    def allowed(given: str) -> None:
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise HTTPException(404)

    app = FastAPI(title="overture", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_guarded(policy))
    inside = "/{given}"

    def state(rater: str) -> State:
        done = {answer.trial for answer in answers.of(rater)}
        rest = [trial for trial in trials if trial.id not in done]
        following = min(rest, key=lambda t: derive(seed, "order", rater, t.id), default=None)
        return State(done=len(done), total=len(trials), trial=following)

    @app.get(inside, dependencies=[Depends(allowed)])
    async def show() -> HTMLResponse:  # pyright: ignore[reportUnusedFunction]
        return HTMLResponse(html)

    @app.post(inside + "/state", dependencies=[Depends(allowed)])
    async def begin(rater: str = _NAME) -> State:  # pyright: ignore[reportUnusedFunction]
        return state(rater)

    @app.post(inside + "/answer", dependencies=[Depends(allowed)])
    async def take(answer: Answer) -> State:  # pyright: ignore[reportUnusedFunction]
        if answer.trial not in by_id:
            raise HTTPException(422, f"no trial {answer.trial!r}")
        answers.add(answer)
        return state(answer.rater)

    @app.post(inside + "/undo", dependencies=[Depends(allowed)])
    async def undo(rater: str = _NAME) -> State:  # pyright: ignore[reportUnusedFunction]
        taken = answers.undo(rater)
        now = state(rater)
        return now if taken is None else now.model_copy(update={"trial": by_id[taken]})

    return app


_NAME: str = Body(embed=True, min_length=1, max_length=MOST_NAME)


def _guarded(policy: str) -> Callable[[Request, Following], Awaitable[Response]]:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }

    async def guarded(request: Request, following: Following) -> Response:
        response = await following(request)
        response.headers.update(headers)
        return response

    return guarded


def listening(host: str, port: int) -> socket.socket:
    """Raises InputError where the port cannot be had; 0 is any that is free."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(
            f"--host {host} --port {port}: cannot listen there ({error.strerror}); give a port that is free"
        ) from None


def server_of(app: FastAPI) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=2
        )
    )
