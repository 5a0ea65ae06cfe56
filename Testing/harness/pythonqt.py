"""PythonQt's manners over PySide6, so that a module written for Slicer runs unmodified.

A Qt property is an attribute (`button.text = "Go"`), a signal is connected by its C++ signature
(`button.connect("clicked(bool)", f)`), and a C++ object takes no attribute that its class lacks.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from types import FunctionType, MethodDescriptorType, MethodType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import Shiboken

QT = (QtCore, QtGui, QtWidgets, QtUiTools)
RENAMED = {
    QtWidgets.QDialog: ("exec_", "exec"),
    QtWidgets.QMenu: ("exec_", "exec"),
    QtWidgets.QApplication: ("exec_", "exec"),
    QtCore.QEventLoop: ("exec_", "exec"),
}
"""Names that PySide6 has given up."""

_doubles: set[type] = set()
_loading: list[bool] = []
_connections: WeakKeyDictionary[QtCore.QObject, list["_Connection"]] = WeakKeyDictionary()

Slot = Callable[..., object]
Kind = TypeVar("Kind", bound=type)


@dataclass(frozen=True)
class _Connection:
    signal: str
    target: Slot
    wrapper: Slot


def double(kind: Kind) -> Kind:
    """Mark a Python class as the double of a C++ widget: it takes no foreign attributes either."""
    _doubles.add(kind)
    return kind


@contextmanager
def loading() -> Iterator[None]:
    """Drop the attributes that Qt's loader gives a panel for its children: Slicer's gives none."""
    _loading.append(True)
    try:
        yield
    finally:
        _loading.pop()


@cache
def install() -> None:
    """Give every class of PySide6 the manners of PythonQt, for the rest of the process."""
    for module in QT:
        for name in dir(module):
            getattr(module, name)  # PySide6 makes its classes when they are first named
    own = [kind for kind in _descendants(QtCore.QObject) if kind.__module__.startswith("PySide6")]
    for kind in sorted(dict.fromkeys(own), key=lambda kind: len(kind.__mro__)):
        _turn_properties_into_attributes(kind)
        _refuse_new_attributes(kind)
    _hide_native_connect()
    QtCore.QObject.name = property(lambda self: self.objectName, QtCore.QObject.setObjectName)
    QtCore.QObject.className = lambda self: self.metaObject().className()
    for kind, (old, new) in RENAMED.items():
        setattr(kind, old, getattr(kind, new))


def normalized(signature: str) -> str:
    """Return a signal's signature as Qt writes it; pointers to VTK objects are Python objects."""
    plain = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    return re.sub(r"\bvtk\w+\*", "PyObject", plain)


def connect(
    sender: QtCore.QObject, signature: str, receiver: object, slot: str | None = None
) -> bool:
    """Connect a signal, named by its C++ signature, to a callable or to a named slot.

    Raises:
        ValueError: the sender has no such signal.
    """
    target = _target(receiver, slot)
    wrapper = _trimmed(target, _arguments(normalized(signature)))
    _bound_signal(sender, signature).connect(wrapper)
    connection = _Connection(normalized(signature), target, wrapper)
    _connections.setdefault(sender, []).append(connection)
    return True


def disconnect(
    sender: QtCore.QObject, signature: str, receiver: object, slot: str | None = None
) -> bool:
    """Undo `connect`; returns whether there was such a connection."""
    target, name = _target(receiver, slot), normalized(signature)
    signal = _bound_signal(sender, signature)
    for connection in _connections.get(sender, []):
        if connection.signal == name and connection.target == target:
            signal.disconnect(connection.wrapper)
            _connections[sender].remove(connection)
            return True
    return False


class _Property:
    """A Qt property as an attribute; on the class it stays the C++ method of the same name."""

    def __init__(self, name: str, method: object, *, writable: bool) -> None:
        self.name, self.method, self.writable = name, method, writable

    def __get__(self, instance: QtCore.QObject | None, owner: type | None = None) -> object:
        if instance is None:
            return self.method
        if isinstance(self.method, MethodDescriptorType):  # neither static nor missing
            return self.method(instance)
        return QtCore.QObject.property(instance, self.name)

    def __set__(self, instance: QtCore.QObject, value: object) -> None:
        where = f"{instance.metaObject().className()}.{self.name}"
        if not self.writable:
            raise AttributeError(f"{where} is not writable")
        if not QtCore.QObject.setProperty(instance, self.name, value):
            raise ValueError(f"{where} does not accept {value!r}")


def _descendants(kind: type) -> Iterator[type]:
    yield kind
    for child in type.__subclasses__(kind):
        yield from _descendants(child)


def _turn_properties_into_attributes(kind: type) -> None:
    meta = kind.__dict__.get("staticMetaObject")
    if meta is None:
        return
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        found = meta.property(index)
        method = getattr(kind, found.name(), None)
        if not isinstance(method, _Property):
            setattr(
                kind, found.name(), _Property(found.name(), method, writable=found.isWritable())
            )


def _refuse_new_attributes(kind: type) -> None:
    original = Shiboken.Object.__setattr__

    def set_attribute(self: QtCore.QObject, name: str, value: object) -> None:
        if isinstance(_found(type(self), name), QtCore.Property):  # PySide6 would write over it
            QtCore.QObject.setProperty(self, name, value)
            return
        by_pyside = isinstance(value, QtCore.SignalInstance)  # kept there when first asked for
        private = name.startswith("_")
        if by_pyside or private or not _is_cpp(type(self)) or _is_data(type(self), name):
            original(self, name, value)
        elif not _loading:
            why = "is no property" if hasattr(type(self), name) else "does not exist"
            raise AttributeError(f"{type(self).__name__}.{name} {why}; PythonQt refuses it.")

    kind.__setattr__ = set_attribute


def _is_cpp(kind: type) -> bool:
    return kind in _doubles or kind.__module__.startswith("PySide6")


def _is_data(kind: type, name: str) -> bool:
    return hasattr(_found(kind, name), "__set__")


def _found(kind: type, name: str) -> object:
    """Return what a class has under a name, itself or by its bases; None if nothing."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)


def _hide_native_connect() -> None:
    """Answer to `connect` ahead of PySide6, which looks there before it looks in the class."""
    original = QtCore.QObject.__getattribute__
    ours = {"connect": connect, "disconnect": disconnect}

    def get_attribute(self: QtCore.QObject, name: str) -> object:
        return partial(ours[name], self) if name in ours else original(self, name)

    QtCore.QObject.__getattribute__ = get_attribute


def _target(receiver: object, slot: str | None) -> Slot:
    target = receiver if slot is None else getattr(receiver, slot.partition("(")[0])
    if not callable(target):
        raise TypeError(f"A signal is connected to a callable, not to {target!r}.")
    return target


def _arguments(signature: str) -> list[str]:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.split(",") if inside else []


def _bound_signal(sender: QtCore.QObject, signature: str) -> Any:
    name, meta = normalized(signature), sender.metaObject()
    if meta.indexOfSignal(name) < 0:
        raise ValueError(f"{meta.className()} has no signal {signature!r}.")
    signal = getattr(sender, name.partition("(")[0])
    arguments = tuple(_arguments(name))
    return signal[arguments] if arguments else signal


def _trimmed(target: Slot, arguments: list[str]) -> Slot:
    """Pass what the signature names, and to a function no more than it takes, as PythonQt does."""
    count = min(len(arguments), _arity(target))
    return lambda *values: target(*values[:count])


def _arity(target: Slot) -> int:
    everything = 99
    if not isinstance(target, FunctionType | MethodType):
        return everything
    parameters = inspect.signature(target).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return everything
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)
