"""Workflow modules as text: loaded once, stored with the run, loaded from there ever after.

Invariant: a run executes exactly the text in its snapshot, built-in modules too; neither an edited
file nor an upgraded Orch changes a run that is under way. Only modules beside the workflow's file
(and the shipped templates) are snapshotted; libraries come from the environment.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import itertools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orch.model.errors import NotFound, UsageError
from orch.model.run import Source
from orch.workflow.program import Workflow

BUILTIN = "orch.workflow.templates."
COMPOSITES = "orch.workflow.composites"
ENVELOPE = "orch.workflow.envelope"
SHEPHERD = "orch.workflow.shepherd"
COMPLAINTS = "orch.workflow.complaints"
ENTRY_NAMES = ("workflow", "main")


def read_source(module: str, path: Path) -> Source:
    """The text of one module. `UsageError` names the file when it is not readable UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the workflow {path}: {error}",
            code="workflow_unreadable",
            hint=f"ls -l {path}",
        ) from error
    return Source(module, str(path), text, hashlib.sha256(text.encode()).hexdigest())


def collect(entry: Source, root: Path | None, package: str = "") -> dict[str, Source]:
    """`entry` and every module beside it (below `root`) that it imports, directly or through
    others, wherever in the code the import stands; and the composites. Where `root` holds other
    people's modules too, `package` is the one that is meant."""
    found = {entry.module: entry}
    queue = [entry]
    while queue:
        for name in _imports(queue.pop()):
            ours = not package or name.split(".")[0] == package
            located = _locate(name, root if ours else None)
            if located is not None and name not in found:
                found[name] = read_source(name, located)
                queue.append(found[name])
    if COMPOSITES not in found:
        found[COMPOSITES] = read_source(COMPOSITES, _builtin_path(COMPOSITES))
    return found


def _imports(source: Source) -> Iterable[str]:
    with _syntax(source):
        return _imported(source.text, source.filename, source.module)


@functools.lru_cache(maxsize=64)
def _imported(text: str, filename: str, module: str) -> tuple[str, ...]:
    return tuple(_each_import(_tree(text, filename), filename, module))


def _each_import(tree: ast.Module, filename: str, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            package = module.rpartition(".")[0]
            if filename.endswith("__init__.py"):
                package = module
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*filter(None, parts), *filter(None, [node.module])])
            yield from _with_parents(base)
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else alias.name


def _with_parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def parse(source: Source) -> ast.Module:
    """The syntax tree, not to be changed; a syntax error is a `UsageError` with file and line."""
    with _syntax(source):
        return _tree(source.text, source.filename)


# A service reads the same few modules for every task: what follows from a text alone is kept.


@functools.lru_cache(maxsize=64)
def _tree(text: str, filename: str) -> ast.Module:
    return ast.parse(text, filename)


@functools.lru_cache(maxsize=64)
def _code(text: str, filename: str) -> types.CodeType:
    return compile(text, filename, "exec", dont_inherit=True)


@functools.lru_cache(maxsize=64)
def _names(text: str, filename: str) -> frozenset[str]:
    used: set[str] = set()
    for node in ast.walk(_tree(text, filename)):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.alias) and node.asname:  # `import Push as P` is used as `P`
            used.add(node.name)
    return frozenset(used)


@contextlib.contextmanager
def _syntax(source: Source) -> Iterator[None]:
    try:
        yield
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"{source.filename}:{line or 1}: {getattr(error, 'msg', error)}",
            code="workflow_syntax",
            hint=f"edit {source.filename}, then repeat the command",
            file=source.filename,
            line=line,
        ) from error


def _locate(name: str, root: Path | None) -> Path | None:
    if name in (COMPOSITES, ENVELOPE, SHEPHERD, COMPLAINTS) or name.startswith(BUILTIN):
        path = _builtin_path(name)
        return path if path.is_file() else None
    if root is None or not name or name.split(".")[0] == "orch":
        return None
    base = root.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_name(base.name + ".py")):  # Python's order
        if path.is_file():
            return path
    return None


def _builtin_path(name: str) -> Path:
    return Path(__file__).parent.joinpath(*name.split(".")[2:]).with_suffix(".py")


def builtin_names() -> list[str]:
    """The shipped templates."""
    folder = Path(__file__).parent / "templates"
    return sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


def builtin_source(name: str) -> Source:
    return read_builtin(BUILTIN + name)


def read_builtin(module: str) -> Source:
    """The text of a module that Orch ships."""
    return read_source(module, _builtin_path(module))


class Modules:
    """Executes a snapshot. Each run has its own modules; nothing stays in `sys.modules`."""

    _count = itertools.count(1)

    def __init__(self, snapshot: Mapping[str, Source]) -> None:
        self._snapshot = snapshot
        self._loaded: dict[str, types.ModuleType] = {}
        self._builtins = {**builtins.__dict__, "__import__": self._import}
        self._number = next(self._count)
        parents = {parent for name in snapshot for parent in _with_parents(name)}
        self._folders = parents - snapshot.keys()

    def load(self, name: str) -> types.ModuleType:
        """A module of the snapshot, executed once; parent packages first."""
        parent, _, last = name.rpartition(".")
        if parent and name not in self._loaded:
            self.load(parent)
        if name in self._loaded:
            return self._loaded[name]
        module = self._folder(name) if name in self._folders else self._module(name)
        self._loaded[name] = module
        if parent:
            setattr(self._loaded[parent], last, module)
        if name in self._snapshot:
            self._run(name, module)
        return module

    def _folder(self, name: str) -> types.ModuleType:
        """A package without a file of its own; what it does not hold, the installed one may."""
        module = types.ModuleType(name)
        module.__dict__["__path__"] = []
        if name.split(".")[0] == "orch":
            real = importlib.import_module(name)
            module.__dict__["__getattr__"] = lambda item: getattr(real, item)
        return module

    def _module(self, name: str) -> types.ModuleType:
        source = self._snapshot[name]
        module = types.ModuleType(f"run{self._number}:{name}")
        module.__file__ = source.filename
        is_package = source.filename.endswith("__init__.py")
        module.__dict__["__package__"] = name if is_package else name.rpartition(".")[0]
        if is_package:
            module.__dict__["__path__"] = []
        module.__dict__["__builtins__"] = self._builtins
        return module

    def _run(self, name: str, module: types.ModuleType) -> None:
        source = self._snapshot[name]
        sys.modules[module.__name__] = module  # dataclasses look for their module while it runs
        try:
            with _syntax(source):  # `return` outside a function, say, is no matter of the parser
                code = _code(source.text, source.filename)
            exec(code, module.__dict__)  # noqa: S102 - the workflow's own code, from its snapshot
        except BaseException:
            del self._loaded[name]
            raise
        finally:
            del sys.modules[module.__name__]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> Any:
        package = str((globals or {}).get("__package__") or "")
        if level == 1 and not package:  # beside a workflow's file there is no package to name
            if not name:
                return self._beside(fromlist or ())
            level = 0
        full = importlib.util.resolve_name("." * level + name, package) if level else name
        if full not in self._snapshot and full not in self._folders:
            if level:
                raise ImportError(f"{full} is not part of this run's sources", name=full)
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.load(full)
        for item in fromlist or ():
            if f"{full}.{item}" in self._snapshot:
                self.load(f"{full}.{item}")
        return module if fromlist else self.load(full.split(".")[0])

    def _beside(self, names: Iterable[str]) -> types.ModuleType:
        """What `from . import a, b` takes its names from in a workflow's file."""
        folder = types.ModuleType(".")
        for name in names:
            if name in self._snapshot or name in self._folders:
                setattr(folder, name, self.load(name))
        return folder


def entry_workflow(
    module: types.ModuleType, source: Source, wanted: str = ""
) -> tuple[str, Workflow[Any]]:
    """The function a file is run by: `wanted`, or `workflow` or `main`, else the one named like the
    file, else the only `@do` function defined in it. `NotFound` lists what there is."""
    own = {
        name: item
        for name, item in vars(module).items()
        if isinstance(item, Workflow) and item.function.__module__ == module.__name__
    }
    for name in (wanted,) if wanted else (*ENTRY_NAMES, Path(source.filename).stem):
        if isinstance(vars(module).get(name), Workflow):
            return name, vars(module)[name]
    if len(own) == 1 and not wanted:
        return next(iter(own.items()))
    listed = ", ".join(sorted(own)) or "none"
    raise NotFound(
        f"{source.filename} does not say which workflow to run (@do functions: {listed})",
        code="no_entry",
        hint="put @do above the function to run, and name it `workflow` or `main`",
    )


def names_used(sources: Iterable[Source]) -> set[str]:
    """Every identifier that stands in the sources: which effects a workflow may ask for."""
    used: set[str] = set()
    for source in sources:
        with _syntax(source):
            used |= _names(source.text, source.filename)
    return used
