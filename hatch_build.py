"""Compiles the hot paths for the wheel, where this machine can; what is written in Python stays the reference.

SEGWIRE_COMPILE says what to do: `auto` (compile where a C compiler is there, else build the wheel of any platform),
`always` (fail where it cannot be compiled), `never`. An editable install is never compiled: what is edited must run.
"""

import os
import shlex
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SETTING = "SEGWIRE_COMPILE"
# What is compiled needs at run time a librt no older than this mypy's: see `dependencies` of pyproject.toml.
NEEDED = ["mypy>=2.4,<2.5", "msgspec>=0.20,<1", "setuptools>=65"]
# Types of libraries that are not there are no reason to fail: they are checked elsewhere.
OPTIONS = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", "--explicit-package-bases"]


class CompileHook(BuildHookInterface[Any]):
    """Puts compiled modules beside their sources, named in `modules` of the hook's configuration."""

    def dependencies(self) -> list[str]:
        """Return what an isolated build needs."""
        return NEEDED if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add what comes of it to the wheel.

        Raises:
            RuntimeError: SEGWIRE_COMPILE is `always`, and it could not be compiled.
        """
        if version == "editable" or not self._wanted():
            return
        self._built = tempfile.TemporaryDirectory(prefix="segwire-build-")
        try:
            compiled = compile_modules(Path(self.root), Path(self._built.name), self.config["modules"])
        except (Exception, SystemExit) as error:
            if os.environ.get(SETTING) == "always":
                raise RuntimeError(f"the modules could not be compiled: {error}") from error
            self.app.display_warning(f"not compiled, so it will be slower: {error}")
            return
        build_data["force_include"].update(compiled)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what was in between."""
        if hasattr(self, "_built"):
            self._built.cleanup()

    @staticmethod
    def _wanted() -> bool:
        setting = os.environ.get(SETTING, "auto")
        if setting not in ("auto", "always", "never"):
            raise ValueError(f"{SETTING}: {setting!r} is unknown; say auto, always or never")
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
        return setting == "always" or (setting == "auto" and shutil.which(compiler) is not None)


def compile_modules(root: Path, built: Path, modules: list[str]) -> dict[str, str]:
    """Compile modules below `root`; return the path of each library, and where in the wheel it belongs."""
    from mypyc.build import mypycify
    from setuptools import Distribution  # type: ignore[import-untyped]

    with _working_in(root):
        extensions = mypycify(
            [*OPTIONS, f"--cache-dir={built / 'types'}", *modules],
            opt_level="3", debug_level="0", target_dir=str(built / "c"), group_name="segwire",
        )  # fmt: skip
        command = Distribution({"name": "segwire", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(built / "lib"), str(built / "objects")
        command.ensure_finalized()
        command.run()
    libraries = (built / "lib").rglob("*" + sysconfig.get_config_var("EXT_SUFFIX"))
    return {str(library): str(library.relative_to(built / "lib")) for library in libraries}


@contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    """Names of modules follow from paths relative to the working directory."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)
