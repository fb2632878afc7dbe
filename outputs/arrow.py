"""Arrow's compute functions, most of which are made when pyarrow is imported: no type checker sees them."""

from typing import Any

import pyarrow.compute

pc: Any = pyarrow.compute
