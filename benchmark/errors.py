"""The errors that users see: each message names the file, clip or option, and what to do."""

_LONGEST_NAME = 100  # characters of an unknown name that are shown


class VpbenchError(Exception):
    """Something failed; the command line prints the message and exits with 1."""

    exit_code = 1


class UsageError(VpbenchError):
    """The request itself is wrong (an unknown name, options that do not fit); exit code 2."""

    exit_code = 2


def unknown_name(kind: str, name: str, known: list[str]) -> UsageError:
    """A :class:`UsageError` for an unknown ``name`` of a ``kind``, with the nearest known names."""
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return UsageError(f"Unknown {kind} '{shown}'. {unknown_hint(name, known)}")


def unknown_hint(name: str, known: list[str]) -> str:
    """The nearest known names, or all of them, as a sentence."""
    import difflib

    near = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(sorted(known)) or 'none'}."


def with_place(error: Exception) -> str:
    """Describe an exception of somebody else's code: its type, its message, and the file and line that raised it."""
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
