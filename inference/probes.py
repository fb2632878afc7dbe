"""What a server can do, found by asking it: its models, whether it keeps to a JSON schema."""

from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from inference.client import Connections, HttpChatModel
from inference.endpoint import served_names
from inference.pool import Home
from inference.transport import Patience
from schemas.chat import CallKey, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import InvalidOutput, NoStructuredOutput, Refused


async def served(spec: EndpointSpec, patience_s: float = 10.0) -> list[str]:
    """Names and aliases under which the server can be asked, as it tells them; `spec.model` is not looked at."""
    async with Connections(Patience(faults_s=patience_s, answer_s=max(1.0, patience_s))) as http:
        return await http.pool([replace(spec, model="")]).call("GET", "/models", b"", served_names, Home(""))


class _Weather(BaseModel):
    model_config = ConfigDict(extra="forbid")

    weather: Literal["sun", "rain", "snow"]


async def probe_structured_output(model: HttpChatModel) -> None:
    """Returns when the server holds a model to a schema that the prompt never mentions; else NoStructuredOutput."""
    plain = ChatRequest(
        key=CallKey(turn=0, step="probe"),
        messages=(Message("user", "Write one sentence about the weather today."),),
        sampling=Sampling(temperature=0.7, max_tokens=1),
        seed=0,
    )
    await model.ask(plain)  # what is wrong without a schema is not the schema's fault
    found, sampling = "", Sampling(temperature=0.7, max_tokens=48)
    for seed in range(3):
        held = replace(plain, seed=seed, json_schema=_Weather.model_json_schema(), sampling=sampling)
        try:
            await model.ask(held)
        except (InvalidOutput, Refused) as error:
            found = str(error)
        else:
            return
    raise NoStructuredOutput(
        f"{model!r} does not hold answers to a JSON schema: {found}. Serve the model with vLLM or llama.cpp's "
        "server, which do, or choose stages that ask for plain text only"
    )


async def check_model(spec: EndpointSpec, timeout: float) -> None:
    """The server answers and serves `spec.model`; else Unreachable, or Refused with the names it serves."""
    names = await served(spec, timeout)
    if spec.model not in names:
        listed = ", ".join(f"'{n}'" for n in names) or "none"
        told = f"{spec.base_url} does not serve '{spec.model}'; it serves: {listed}. Set `model` to one of them"
        raise Refused(told, "not_found")
