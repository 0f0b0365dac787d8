"""The retry loops that a program already has: decorators of libraries, and loops that run a failed statement again.

A call inside such a loop is never wrapped, because the attempts and waits of two loops multiply.
"""

from __future__ import annotations

import ast

#: Libraries for retries: everything that they define is a retry loop.
PACKAGES = frozenset({"tenacity", "retrying", "backoff", "stamina", "retry", "retry2", "redo", "opnieuw", "riprova"})
#: Functions and classes of other libraries that retry.
_OTHERS = frozenset({
    "oslo_service.loopingcall.RetryDecorator", "oslo_db.api.wrap_db_retry", "os_brick.utils.retry",
    "google.api_core.retry.Retry",
})  # fmt: skip
ROOTS = PACKAGES | {name.partition(".")[0] for name in _OTHERS}

_COUNTERS = frozenset({"range", "xrange", "count", "repeat"})
_WORDS = ("retry", "retries", "backoff")


def is_retrier(dotted: str) -> bool:
    """Return whether a name from outside the program is a retry loop."""
    return dotted.partition(".")[0] in PACKAGES or dotted in _OTHERS


def is_named_so(decorator: ast.expr) -> bool:
    """Return whether a decorator of unknown origin is a retry loop by its name."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
    return any(word in name.lower() for word in _WORDS)


def counts_attempts(node: ast.stmt) -> bool:
    """Return whether a loop runs over a counter, so that each turn does the same thing again."""
    if not isinstance(node, (ast.For, ast.AsyncFor)) or not isinstance(node.iter, ast.Call):
        return False
    func = node.iter.func
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")) in _COUNTERS


def swallows(node: ast.Try | ast.TryStar) -> bool:
    """Return whether a try statement inside a loop lets the loop continue after an error."""
    return any(not _ends(handler.body) or _continues(handler) for handler in node.handlers)


def repeats_in_it(function: ast.AST) -> bool:
    """Return whether a function contains a retry loop, its own or a library's."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in PACKAGES:
            return True
        if isinstance(node, ast.While) or counts_attempts(node):  # type: ignore[arg-type]
            tries = (inner for inner in ast.walk(node) if isinstance(inner, (ast.Try, ast.TryStar)))
            if any(map(swallows, tries)):
                return True
    return False


def _ends(body: list[ast.stmt]) -> bool:
    """Return whether control never reaches the end of a block."""
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _ends(last.body) and _ends(last.orelse)
    if isinstance(last, (ast.With, ast.AsyncWith)):  # oslo.utils' save_and_reraise_exception
        return _ends(last.body) or any("reraise" in ast.unparse(item.context_expr) for item in last.items)
    return isinstance(last, (ast.Raise, ast.Return, ast.Break))


def _continues(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Continue) for node in ast.walk(handler))
