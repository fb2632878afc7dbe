"""A stage: a frozen, documented, JSON-able value with one verb. A recipe names it by import path."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Stage(BaseModel):
    """Base of families, speakers, filters, selectors, discriminators and rewards. Unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def import_path(cls) -> str:
        return f"{cls.__module__}.{cls.__qualname__}"

    def spec(self) -> dict[str, Any]:
        """What a resolved recipe stores: `{use: import path, ...fields}`."""
        return {"use": self.import_path(), **self.model_dump(mode="json")}

    def with_fields(self, **fields: Any) -> Self:
        """A validated copy."""
        return type(self).model_validate({**self.model_dump(), **fields})
