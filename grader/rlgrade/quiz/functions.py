"""The functions that a bank's calls name: `quizzes/functions/`, imported from where it lies."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from rlgrade.outcome import UsageError


class Functions:
    """The functions of one folder, by the name `module.function`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: dict[str, ModuleType] = {}

    def find(self, name: str) -> Callable[..., Any]:
        """The function of this name.

        Raises:
            UsageError: the name is not `module.function`, or there is no such file or function.
        """
        module, _, function = name.partition(".")
        if not (module.isidentifier() and function.isidentifier()) or function.startswith("_"):
            raise UsageError(f"{name!r} is not the name of a call; write module.function")
        found = getattr(self._module(module), function, None)
        if not callable(found):
            raise UsageError(f"{self.folder / module}.py has no function {function!r}; add it")
        return found  # type: ignore[no-any-return]

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """What the function returns.

        Raises:
            UsageError: there is no such function, or it raised.
        """
        function = self.find(name)
        try:
            return function(**arguments)
        except Exception as error:
            raise UsageError(
                f"{name}({_shown(arguments)}) raised {type(error).__name__}: {error}"
            ) from error

    def _module(self, name: str) -> ModuleType:
        if name not in self._modules:
            path = self.folder / f"{name}.py"
            if not path.is_file():
                raise UsageError(f"there is no {path}; calls are looked up in that folder")
            self._modules[name] = _import(path)
        return self._modules[name]


def _import(path: Path) -> ModuleType:
    """The module of a file; it may import its neighbours with `from .other import f`."""
    package = "rlgrade_quiz_functions_" + path.parent.as_posix().encode().hex()
    if package not in sys.modules:
        spec = importlib.machinery.ModuleSpec(package, None, is_package=True)
        spec.submodule_search_locations = [str(path.parent)]
        sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{package}.{path.stem}")
    except Exception as error:
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error


def _shown(arguments: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return text if len(text) < 300 else text[:300] + "..."
