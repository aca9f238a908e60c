"""What a command did: said line by line, or printed as one JSON object at its end."""

import json
import warnings
from typing import Any

from hdr_jax.files import json_number


class Report:
    """Lines for people, or values for scripts; warnings stay on standard error in both.

    Args:
      as_json: print one JSON object when the work is done, and nothing before.
      command: its name.

    `results` is a list of what each picture or map came to; `assumed` what nobody said and the
    program had to choose.

    Example:
      >>> with Report(False, "merge") as report:
      ...     report.assume("exposure times: EXIF")
      assumed: exposure times: EXIF
    """

    def __init__(self, as_json: bool, command: str):
        self.as_json = as_json
        self.results: list[dict[str, Any]] = []
        self.assumed: list[str] = []
        self._warnings: list[str] = []
        self._command = command

    def __enter__(self) -> "Report":
        self._shown = show = warnings.showwarning

        def showwarning(message, *args, **options):
            self._warnings.append(str(message))
            show(message, *args, **options)

        warnings.showwarning = showwarning
        return self

    def __exit__(self, kind, *_) -> None:
        warnings.showwarning = self._shown
        if self.as_json and kind is None:
            values = {"command": self._command, "results": self.results}
            values |= {"assumed": self.assumed, "warnings": self._warnings}
            print(json.dumps(_finite(values), indent=2, allow_nan=False))

    def say(self, line: str) -> None:
        """A line for people."""
        if not self.as_json:
            print(line)

    def assume(self, what: str) -> None:
        """What was assumed, said once."""
        if what not in self.assumed:
            self.assumed.append(what)
            self.say(f"assumed: {what}")


def _finite(values: Any) -> Any:
    """The same, its numbers as JSON holds them."""
    if isinstance(values, dict):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return json_number(values) if isinstance(values, float) else values
