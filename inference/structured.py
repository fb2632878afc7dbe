"""An answer under a JSON schema becomes data: parsed and validated here, once."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from schemas.errors import InvalidOutput, OvertureError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> "Validator":
    from jsonschema import Draft202012Validator, SchemaError  # costs a start that asks for plain text nothing

    loaded = orjson.loads(schema)
    try:
        Draft202012Validator.check_schema(loaded)
    except SchemaError as error:
        raise OvertureError(f"a request carries an invalid JSON schema: {error.message}") from None
    return Draft202012Validator(loaded)


def parse(text: str, schema: dict[str, Any], finish_reason: str) -> Any:
    """The one JSON value in `text`. Raises InvalidOutput: `cut_short`, `invalid_json`, `schema_mismatch`."""
    validator = _validator(orjson.dumps(schema))
    if finish_reason == "length":
        raise InvalidOutput(f"the answer was cut at max_tokens before its JSON ended: {text[:80]!r}", "cut_short")
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidOutput(f"the answer is not JSON ({error}): {text[:80]!r}", "invalid_json") from None
    fault = next(iter(validator.iter_errors(data)), None)
    if fault is not None:
        raise InvalidOutput(f"the answer does not fit its schema: {fault.message[:160]}", "schema_mismatch")
    return data
