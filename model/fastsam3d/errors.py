"""The error that a user's input causes, and the one that a full memory does."""


class InputError(ValueError):
    """Bad input, told in one sentence: what was got, what was expected, what to do."""


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that a device's or the computer's memory is full."""
    said = str(error).lower()
    signs = (
        "out of memory", "can't allocate memory", "cannot allocate memory", "status_alloc_failed",
    )  # fmt: skip
    return isinstance(error, MemoryError) or any(sign in said for sign in signs)
