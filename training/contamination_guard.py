"""What stands between contaminated data and a training run."""

from collections.abc import Sequence
from pathlib import Path

from training.contamination import WholeCases, cases_of
from training.dialogue_tokens import DialogueTokens
from training.instructions import read_lines
from training.suites import SUITES, load_suite


def refuse_contaminated(paths: Sequence[Path], suites: Sequence[str] = SUITES, limit: int = 200) -> None:
    """Look for the suites' first `limit` questions in training data.

    Only whole cases count (`training.contamination`), so shared templates refuse nothing. It takes some seconds for
    50,000 dialogues. Malformed lines are passed over: reading the data to train on them names the first.

    Raises:
        ValueError: a case was found.
    """
    search = WholeCases([case for name in suites for case in cases_of(name, load_suite(name, limit))])
    for path in paths:
        for line in read_lines(path):
            if line.dialogue is not None:
                search.see(DialogueTokens(line.dialogue), f"{path}:{line.number}")
    if found := search.found():
        first = found[0]
        raise ValueError(
            f"{first.place} holds the case {first.case} of the suite {first.suite}"
            f"{f', and there are {len(found) - 1:,} more' if len(found) > 1 else ''}: take them out "
            "(`precept-train check` lists them), or add --allow-contaminated and do not trust the suite's figures"
        )
