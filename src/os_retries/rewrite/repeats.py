"""The retry loops that a program has already: decorators, and statements that run again what has failed.

A call in such a loop is never wrapped: two loops around one call multiply their attempts and their waits.
"""

from __future__ import annotations

import ast

#: Libraries whose business is to repeat calls: what comes from them is a retry loop.
PACKAGES = frozenset({"tenacity", "retrying", "backoff", "stamina", "retry", "retry2", "redo", "opnieuw", "riprova"})
#: The same, single functions and classes of other libraries.
_OTHERS = frozenset({
    "oslo_service.loopingcall.RetryDecorator", "oslo_db.api.wrap_db_retry", "os_brick.utils.retry",
    "google.api_core.retry.Retry",
})  # fmt: skip
ROOTS = PACKAGES | {name.partition(".")[0] for name in _OTHERS}

_COUNTERS = frozenset({"range", "xrange", "count", "repeat"})
_WORDS = ("retry", "retries", "backoff")


def is_retrier(dotted: str) -> bool:
    """Say whether a name that is not of the program repeats what it is given."""
    return dotted.partition(".")[0] in PACKAGES or dotted in _OTHERS


def is_named_so(decorator: ast.expr) -> bool:
    """Say whether a decorator of unknown origin is a retry loop, by the last part of its name."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
    return any(word in name.lower() for word in _WORDS)


def counts_attempts(node: ast.stmt) -> bool:
    """Say whether a loop is one over a counter: it does the same again, not the next of several things."""
    if not isinstance(node, (ast.For, ast.AsyncFor)) or not isinstance(node.iter, ast.Call):
        return False
    func = node.iter.func
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")) in _COUNTERS


def swallows(node: ast.Try | ast.TryStar) -> bool:
    """Say whether a try statement in a loop lets the loop go on after an error."""
    return any(not _ends(handler.body) or _continues(handler) for handler in node.handlers)


def repeats_in_it(function: ast.AST) -> bool:
    """Say whether the code of a function has a retry loop: its own, or one of the libraries."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in PACKAGES:
            return True
        if isinstance(node, ast.While) or counts_attempts(node):  # type: ignore[arg-type]
            tries = (inner for inner in ast.walk(node) if isinstance(inner, (ast.Try, ast.TryStar)))
            if any(map(swallows, tries)):
                return True
    return False


def _ends(body: list[ast.stmt]) -> bool:
    """Say whether the end of a block is never reached."""
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _ends(last.body) and _ends(last.orelse)
    if isinstance(last, (ast.With, ast.AsyncWith)):  # oslo.utils' save_and_reraise_exception
        return _ends(last.body) or any("reraise" in ast.unparse(item.context_expr) for item in last.items)
    return isinstance(last, (ast.Raise, ast.Return, ast.Break))


def _continues(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Continue) for node in ast.walk(handler))
