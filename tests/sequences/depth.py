"""How many sequences are tried.

The numbers in the tests are what the gates take: enough that a fault put in on purpose is found in every run. Each run
draws others, so many runs together see far more. Whoever changes a table or a script asks for more at once:
`TRUNKGATE_TEST_DEPTH=10 scripts/test sequences`.
"""

import os

DEPTH = int(os.environ.get("TRUNKGATE_TEST_DEPTH", "1"))
"""Times the usual number."""


def examples(usual: int) -> int:
    return usual * DEPTH
