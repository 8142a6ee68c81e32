"""What stops a command: the base of every error that the operator, not the programmer, has to act upon."""


class OperatorError(Exception):
    """The message is one line that says what is wrong and what to do; it is shown without a traceback."""
