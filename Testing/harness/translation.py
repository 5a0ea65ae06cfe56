"""What translators would find in the module's sources; and a language of brackets made of that."""

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

OPEN, CLOSE = "\N{LEFT WHITE SQUARE BRACKET}", "\N{RIGHT WHITE SQUARE BRACKET}"

Catalogue = set[tuple[str, str]]
"""Contexts, and the texts in each."""

_LUPDATE = "from PySide6.scripts.pyside_tool import lupdate; lupdate()"


def is_translation(node: ast.AST) -> bool:
    """Tell whether a part of a file is `_(...)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"


def translations(tree: ast.AST) -> list[Any]:
    """Return each `_(...)` of a file."""
    return [node for node in ast.walk(tree) if is_translation(node)]


def context_of(path: Path) -> str:
    """Return what Slicer files the texts of a file under."""
    in_package = (path.parent / "__init__.py").exists()
    return f"{path.parent.name}.{path.stem}" if in_package else path.stem


def written_in(sources: Sequence[Path]) -> Catalogue:
    """Return the texts that Python sees in `_(...)`."""
    return {
        (context_of(path), call.args[0].value)
        for path in sources
        for call in translations(ast.parse(path.read_text(encoding="utf-8")))
    }


def found_in(sources: Sequence[Path], folder: Path) -> Catalogue:
    """Return the texts that Slicer's way finds: names of contexts are put in, then `lupdate` runs.

    Args:
        sources: files of Python.
        folder: an empty one, to work in.
    """
    copies = [folder / path.name for path in sources]
    for path, copy in zip(sources, copies, strict=True):
        source = path.read_text(encoding="utf-8")
        patched = re.sub(r'([^_])_\((?=\s*")', rf'\1translate("{context_of(path)}", ', source)
        copy.write_text(patched, encoding="utf-8")
    command = [sys.executable, "-c", _LUPDATE, "-silent", *map(str, copies), "-ts", "found.ts"]
    subprocess.run(command, cwd=folder, check=True)
    return {
        (context.findtext("name") or "", message.findtext("source") or "")
        for context in ElementTree.parse(folder / "found.ts").iter("context")
        for message in context.iter("message")
    }


def speak_in_brackets(catalogue: Catalogue, monkeypatch: Any) -> None:
    """Have the files of the module's library say what can be translated in brackets."""
    for context in {
        context for context, _ in catalogue if context.startswith("FastSAM3DSlicerLib.")
    }:
        monkeypatch.setattr(import_module(context), "_", _translator(catalogue, context))


def unbracketed(text: str) -> str:
    """Return what of a text has letters and is in no brackets, with tags left out."""
    text = re.sub(r"<[^>]*>", "", text)
    while (inner := re.sub(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "", text)) != text:
        text = inner
    return " ".join(re.findall(r"\S*[A-Za-z]\S*", text))


def _translator(catalogue: Catalogue, context: str) -> Any:
    def translate(text: str) -> str:
        return f"{OPEN}{text}{CLOSE}" if (context, text) in catalogue else text

    return translate
