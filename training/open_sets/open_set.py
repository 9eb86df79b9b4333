"""What an open data set is: where it comes from, the files of its splits, and one function that reads them.

The function yields a dialogue for everything that can be said exactly in the form that the core is served, and a
`LeftOut` with the reason for everything else, so that nothing disappears unseen. Files are read from a folder; nothing
is ever fetched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.instructions import Dialogue
from training.open_sets.acceptance import why_not

DIRECT = "direct"
"""The condition of answers without working; the others are prompted as serving prompts."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A question that the set has and the dialogues have not."""

    reason: str


Converted = Dialogue | LeftOut


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its SPDX name; `share_alike` as in `training.lineage.Source`."""

    name: str
    share_alike: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The files of a split, as a pattern under the set's folder, and their licence."""

    pattern: str
    licence: Licence


@dataclass(frozen=True, slots=True)
class OpenSet:
    """One data set; `read` takes its folder and the files of one split."""

    name: str
    about: str
    source: str
    splits: Mapping[str, Split]
    read: Callable[[Path, Sequence[Path]], Iterator[Converted]]

    def files(self, folder: Path, split: str) -> list[Path]:
        """Return the files of a split.

        Raises:
            ValueError: an unknown split, or none of its files is there.
        """
        if split not in self.splits:
            raise ValueError(f"{self.name} has no split {split!r}: use one of {', '.join(self.splits)}")
        pattern = self.splits[split].pattern
        found = sorted(folder.glob(pattern)) if folder.is_dir() else []
        if not found:
            raise ValueError(f"{folder} has no {pattern}: give the folder of {self.name} ({self.source})")
        return found

    def convert(self, folder: Path, split: str) -> Iterator[Converted]:
        """Yield a dialogue of this split, or why there is none, for each question of the source.

        Raises:
            ValueError: a file that is not of this set.
        """
        for converted in self.read(folder, self.files(folder, split)):
            if isinstance(converted, LeftOut):
                yield converted
            elif reason := why_not(converted):
                yield LeftOut(reason)
            else:
                yield replace(converted, id=f"{self.name}-{split}-{converted.id}", family=self.name, split=split)
