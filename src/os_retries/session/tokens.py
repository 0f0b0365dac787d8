"""Tokens and discovery documents: the inner requests that a Session sends for a request or for one of its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from os_retries.core.deadlines import deadline_in
from os_retries.core.failure import Kind, kind_of
from os_retries.core.loop import run_attempts
from os_retries.session.context import Inside, by_position, inside
from os_retries.session.targets import Answered, OwnerTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from os_retries.session.attachment import Attachment
    from os_retries.session.targets import RequestTarget

#: Methods of a Session that may ask for a token or a discovery document.  The outermost of them repeats its inner
#: requests, because keystoneauth holds a lock while it sends them, and no thread may wait while it holds that lock.
OWNERS = (
    "get_auth_headers",
    "get_token",
    "get_endpoint",
    "get_endpoint_data",
    "get_api_major_version",
    "get_all_version_data",
    "get_auth_connection_params",
    "get_user_id",
    "get_project_id",
)


def send_made_inside(original: Callable[..., Any], target: RequestTarget, around: Inside | None) -> Any:
    """Send an inner request for a token or a discovery document.

    It is not repeated after a wait: the outer request waits, outside keystoneauth's lock, and then repeats both.  A
    discovery request that fails is repeated once without a wait, because keystoneauth may continue without the
    document, and then the outer request does not fail and is not repeated.

    :param around: the outer request, in which the error is stored
    """
    quick_repeats = 1 if target.is_discovery else 0
    while True:
        try:
            response = by_position(original, target.kwargs)
        except Exception as error:
            transient = (
                deadline_in(error) is None and target.read(error, target.policy(), None).kind is not Kind.PERMANENT
            )
            if not (transient and quick_repeats):
                if around is not None:
                    around.error = error
                raise
        else:
            policy = target.policy()
            transient = kind_of(response.status_code, policy.retry_codes) is not Kind.PERMANENT
            if not (transient and quick_repeats):
                if transient and around is not None:  # some plugins pass raise_exc=False and read the response
                    around.error = Answered(response)
                return response
        quick_repeats -= 1


def ask_owner(
    session: Any,
    attachment: Attachment,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: str,
) -> Any:
    """Call a method of Session that may ask for a token or a discovery document, and repeat it if that fails.

    :param original: the session's own method
    :param name: the name of the method
    """
    target = OwnerTarget(session, attachment, name)

    def attempt() -> Any:
        token = inside.set(Inside())
        try:
            return original(*args, **kwargs)
        except Exception:
            this = inside.get()
            target.inside = this.error if this is not None else None
            raise
        finally:
            inside.reset(token)

    return run_attempts(lambda _method: target, attempt, (), {}, streams=())
