"""What the module says to the user: written so that Slicer's tool finds it, and none forgotten."""

import ast
import re
from pathlib import Path
from string import Formatter

import FastSAM3DSlicerLib
from FastSAM3DSlicerLib import language
from harness.translation import is_translation, translations

LIB = Path(FastSAM3DSlicerLib.__file__).parent
FOR_DEVELOPERS = {"selftest", "storekeeper"}
"""The module's test of itself; and what runs in a process of its own, without Slicer."""
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for path in (LIB.parent / "FastSAM3DSlicer.py", *sorted(LIB.glob("*.py")))
    if path.stem not in FOR_DEVELOPERS
}
TREES = {path: ast.parse(source) for path, source in SOURCES.items()}
SILENT = {
    "Binary labelmap", "Closed surface",  # names of representations, in any language
    "FastSAM3D writes",  # a node that is there for no longer than a write
    "FastSAM3D abdomen",  # scripts ask for the sample data by it
    "not trusted",  # what the store calls a file
}  # fmt: skip
SHOWN_BY_CALLING = {
    "UserError", "say", "_say", "begin", "onMessage", "confirmOkCancelDisplay", "appendPlainText",
    "setText", "setToolTip", "setWindowTitle", "addItem", "addItems",
}  # fmt: skip
SHOWN_BY_ASSIGNING = {
    "text", "toolTip", "title", "note", "helpText", "acknowledgementText", "message",
    "windowTitle", "placeholderText",
}  # fmt: skip
FOR_SCRIPTS = {"KeyError", "RuntimeError", "ValueError"}
KEPT_WHOLE = (ast.BinOp, ast.BoolOp, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.List)
"""What a text may be put together by, besides these methods of it."""
METHODS = {"format", "join", "strip"}


def name_of(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def strings(tree):
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node for node in nodes if isinstance(node.value, str)]


def plain(node):
    """Return the strings from which a text is put together, except those that are translated."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node]
    parts = list(ast.iter_child_nodes(node)) if isinstance(node, KEPT_WHOLE) else []
    if isinstance(node, ast.Call) and name_of(node) in METHODS:
        parts = [node.func.value, *node.args, *(each.value for each in node.keywords)]
    return [each for part in parts for each in plain(part)]


def shown(tree):
    """Yield what is shown to the user: given to some functions, or to some attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if name_of(node) in SHOWN_BY_CALLING:
                yield from node.args
            yield from (each.value for each in node.keywords if each.arg in SHOWN_BY_ASSIGNING)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {getattr(each, "attr", getattr(each, "id", "")) for each in targets}
            if names & SHOWN_BY_ASSIGNING:
                yield node.value


def unseen(tree):
    """Yield the parts of a file that no user sees as they stand, or that are translated."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value  # an explanation
        elif is_translation(node):
            yield node
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if name_of(node.exc) in FOR_SCRIPTS:
                yield node.exc
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and is_translation(node.elts[1]):
            yield node.elts[0]  # what others say, beside what is said for it


def are_words(text):
    """Tell whether a string is more than a name, a number's form, or markup."""
    bare = re.sub(r"<[^>]*>?|\{[^}]*\}", "", text)
    return text not in SILENT and bool(re.search(r"[A-Za-z]\S* +\S*[a-z]", bare))


def places(find):
    """Return where something is found in the files: `find` gets the tree of each."""
    return [f"{path.name}:{each.lineno}" for path, tree in TREES.items() for each in find(tree)]


def test_all_that_is_shown_is_translated():
    def find(tree):
        said = (each for expression in shown(tree) for each in plain(expression))
        return [each for each in said if re.search("[A-Za-z]", each.value)]

    assert places(find) == []


def test_there_are_no_words_that_are_not_translated():
    def find(tree):
        known = {id(each) for part in unseen(tree) for each in ast.walk(part)}
        said = (each for each in strings(tree) if id(each) not in known)
        return [each for each in said if are_words(each.value)]

    assert places(find) == []


def test_what_is_translated_is_one_literal_text_that_slicers_tool_finds():
    literal = re.compile(r'_\(\s*("(?!\s*\))[^"\\]*"\s*)+\)')
    for path, source in SOURCES.items():
        for call in translations(TREES[path]):
            written = ast.get_source_segment(source, call)
            assert literal.fullmatch(written), f"{path.name}:{call.lineno}: {written}"


def test_what_is_translated_is_looked_up_when_it_is_said_and_not_at_import():
    def find(tree):
        functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))
        bodies = [statement for each in functions for statement in each.body]
        inside = {id(each) for statement in bodies for each in ast.walk(statement)}
        return [call for call in translations(tree) if id(call) not in inside]

    assert places(find) == []


def test_values_are_put_in_by_their_names():
    def is_right(call):
        text = call.func.value.args[0].value
        wanted = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        return not call.args and {each.arg for each in call.keywords} == wanted

    def find(tree):
        calls = (each for each in ast.walk(tree) if isinstance(each, ast.Call))
        formats = (each for each in calls if name_of(each) == "format")
        on_texts = (each for each in formats if is_translation(each.func.value))
        return [call for call in on_texts if not is_right(call)]

    assert places(find) == []


def test_the_underscore_is_slicers_translation_wherever_a_text_is():
    for path, tree in TREES.items():
        bound = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id == "_"]
        imported = [each for each in tree.body if isinstance(each, ast.ImportFrom)]
        sources = [each.module for each in imported for name in each.names if name.asname == "_"]
        assert sources == (["language"] if translations(tree) else []), path.name
        assert not sources or all(isinstance(each.ctx, ast.Load) for each in bound), path.name


def test_a_script_that_has_slicers_core_alone_speaks_english():
    assert language.english("Done.") == "Done."
