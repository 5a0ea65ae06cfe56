"""The error that a user's input causes."""


class InputError(ValueError):
    """Bad input, told in one sentence: what was got, what was expected, what to do."""
