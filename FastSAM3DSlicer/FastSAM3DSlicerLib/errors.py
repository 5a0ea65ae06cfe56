"""What a user did that cannot be done; the panel shows the text, a script sees the exception."""


class UserError(ValueError):
    """Says in one sentence what was got, what was expected, and what to do."""
