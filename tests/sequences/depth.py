"""How many sequences are tried.

The numbers in the tests are what the gates take. Each run draws others, so many runs together see far more. They are
not to be made smaller lightly: with 100 in the place of 300, a window of the frequencies that is one millisecond short
was found in one run of four; with 300 in four of four. Whoever changes a table or a script asks for more at once:
`TRUNKGATE_TEST_DEPTH=10 scripts/test sequences`.
"""

import os

DEPTH = int(os.environ.get("TRUNKGATE_TEST_DEPTH", "1"))
"""Times the usual number."""


def examples(usual: int) -> int:
    return usual * DEPTH
