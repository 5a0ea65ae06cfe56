"""Check a panel's `.ui` and a module's source against the names that Slicer's widgets really have.

`contract.json` holds them: properties, signals, slots and invokable methods by class, as Slicer
5.12 has them. What is below them comes from Qt itself.
"""

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from PySide6 import QtCore, QtGui, QtWidgets

DYNAMIC = {"SlicerParameterName", "buddy"}
"""Properties of a `.ui` that are none of the widget: for Slicer, and for the loader."""
PYTHONQT = {"connect", "disconnect", "name", "className", "delete", "parent", "children"}
"""What PythonQt gives to every object."""


@dataclass(frozen=True)
class Names:
    """What code may name of a widget; signals and slots by their signatures."""

    properties: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    slots: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()

    def __or__(self, other: "Names") -> "Names":
        return Names(
            self.properties | other.properties,
            self.signals | other.signals,
            self.slots | other.slots,
            self.methods | other.methods,
        )


@cache
def contract() -> dict[str, dict[str, list[str]]]:
    """Return the names that are not Qt's, by class."""
    found: dict[str, dict[str, list[str]]] = json.loads(
        Path(__file__).with_name("contract.json").read_text(encoding="utf-8")
    )
    return found


@cache
def names_of(kind: str) -> Names:
    """Return all that code may name of a widget's class.

    Raises:
        LookupError: neither Qt nor Slicer has such a class, as far as the contract knows.
    """
    if kind in contract():
        own = contract()[kind]
        slots = frozenset(own["slots"])
        methods = slots | frozenset(own["invokable"])
        return names_of(str(own["base"])) | Names(
            frozenset(own["properties"]),
            frozenset(own["signals"]),
            slots,
            frozenset(map(bare, methods)),
        )
    return _names_in_qt(kind)


def bare(signature: str) -> str:
    """Return a signature without its arguments."""
    return signature.partition("(")[0]


def check_ui(path: Path) -> list[str]:
    """Return what a `.ui` names and Slicer does not have, a sentence each."""
    root = ElementTree.parse(path).getroot()
    named = [found.get("name", "") for found in root.iter() if found.tag in ("widget", "layout")]
    twice = sorted({name for name in named if named.count(name) > 1})
    return [
        *[f"{name}: the name is used twice" for name in twice],
        *_properties(root),
        *_buddies(root),
        *_connections(root),
        *_declarations(root),
    ]


def check_source(source: str, widgets: dict[str, str]) -> list[str]:
    """Return what a module's source does with `ui.<widget>` and Slicer would refuse.

    Args:
        source: Python.
        widgets: class of each widget by its name, from `widgets_in`.
    """
    tree = ast.parse(source)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    problems = [problem for node in ast.walk(tree) for problem in _use(node, called, widgets)]
    return problems + list(_signals(tree, widgets))


def widgets_in(path: Path) -> dict[str, str]:
    """Return the class of each widget of a `.ui`, by its name."""
    root = ElementTree.parse(path).getroot()
    return {found.get("name", ""): found.get("class", "") for found in root.iter("widget")}


@cache
def _names_in_qt(kind: str) -> Names:
    found = getattr(QtWidgets, kind, None) or getattr(QtGui, kind, None)
    if found is None:
        raise LookupError(f"{kind} is neither in Qt nor in the contract")
    meta = found.staticMetaObject
    methods = [meta.method(index) for index in range(meta.methodCount())]

    def signatures(wanted: QtCore.QMetaMethod.MethodType) -> frozenset[str]:
        return frozenset(
            bytes(method.methodSignature().data()).decode()
            for method in methods
            if method.methodType() == wanted
        )

    return Names(
        frozenset(meta.property(index).name() for index in range(meta.propertyCount())),
        signatures(QtCore.QMetaMethod.MethodType.Signal),
        signatures(QtCore.QMetaMethod.MethodType.Slot),
        frozenset(name for name in dir(found) if not name.startswith("_")) | PYTHONQT,
    )


for _name in dir(QtWidgets):  # before PySide6 can lose track of a class's metaobject
    if _name.startswith("Q") and hasattr(getattr(QtWidgets, _name), "staticMetaObject"):
        _names_in_qt(_name)


def _properties(root: ElementTree.Element) -> Iterator[str]:
    for widget in root.iter("widget"):
        kind, name = widget.get("class", ""), widget.get("name", "")
        try:
            known = names_of(kind).properties | DYNAMIC
        except LookupError as problem:
            yield f"{name}: {problem}"
            continue
        for found in widget.findall("property"):
            if found.get("name") not in known:
                yield f"{name}: {kind} has no property {found.get('name')}"


def _buddies(root: ElementTree.Element) -> Iterator[str]:
    names = {found.get("name") for found in root.iter("widget")}
    for found in root.iter("property"):
        buddy = found.findtext("cstring")
        if found.get("name") == "buddy" and buddy not in names:
            yield f"{buddy}: a label's buddy that is not in the file"


def _connections(root: ElementTree.Element) -> Iterator[str]:
    kinds = {found.get("name", ""): found.get("class", "") for found in root.iter("widget")}
    for found in root.iter("connection"):
        for end, what in (("sender", "signal"), ("receiver", "slot")):
            name, signature = found.findtext(end, ""), found.findtext(what, "")
            if name not in kinds:
                yield f"{name}: a connection's {end} that is not in the file"
            elif signature not in getattr(names_of(kinds[name]), f"{what}s"):
                yield f"{name}: {kinds[name]} has no {what} {signature}"


def _declarations(root: ElementTree.Element) -> Iterator[str]:
    declared = {found.findtext("class", "") for found in root.iter("customwidget")}
    used = {found.get("class", "") for found in root.iter("widget")}
    for kind in sorted(used & set(contract()) - declared):
        yield f"{kind}: used, but not among the file's custom widgets"


def _widget(node: ast.AST) -> str | None:
    """Return the name in `ui.<name>` or `self.ui.<name>`, None for anything else."""
    if not isinstance(node, ast.Attribute):
        return None
    owner = node.value
    here = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", None)
    return node.attr if here == "ui" else None


def _use(node: ast.AST, called: Iterable[ast.AST], widgets: dict[str, str]) -> Iterator[str]:
    name = _widget(node)
    if name is not None and name not in widgets:
        yield f"line {_line(node)}: no widget {name} in the .ui"
    if not isinstance(node, ast.Attribute) or (owner := _widget(node.value)) not in widgets:
        return
    kind = widgets[str(owner)]
    known = names_of(kind)
    what = f"line {_line(node)}: {owner} ({kind})"
    if node.attr in known.properties:
        if node in called:
            yield f"{what}: {node.attr} is a property, not to be called"
    elif isinstance(node.ctx, ast.Store):
        yield f"{what} has no property {node.attr}"
    elif node.attr not in known.methods | set(map(bare, known.signals)):
        yield f"{what} has no {node.attr}"


def _signals(tree: ast.AST, widgets: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = _widget(node.func.value)
        if owner not in widgets or node.func.attr not in ("connect", "disconnect"):
            continue
        signature = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
        plain = str(signature).replace(" ", "")
        if plain not in names_of(widgets[owner]).signals:
            yield f"line {node.lineno}: {owner} ({widgets[owner]}) has no signal {signature}"


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
