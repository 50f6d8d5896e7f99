"""What is wrong with a query, and where: the one error this package raises."""

_SHOWN = 40


class QueryError(ValueError):
    """`parameter` is the query parameter at fault; `detail` says what is wrong and where, in words for the
    client.
    """

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.detail = detail


def shown(text: str) -> str:
    """What a client sent, as an error may repeat it: short, and without control characters or lone
    surrogates.
    """
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
