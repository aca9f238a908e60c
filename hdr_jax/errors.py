"""What is wrong with input, told apart from what is wrong with this program."""


class InputError(ValueError):
    """Input that cannot be used: a file, an argument, a field of a configuration.

    Raised where the input is judged, with what was got, what was expected and what to try. The
    commands turn it into one line and exit code 2; any other error is a defect of the program and
    shows its traceback.
    """
