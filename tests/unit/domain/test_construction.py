"""Dataclasses that are quick to make are those that `dataclasses` makes, in all but the time."""

import dataclasses
import inspect
import pickle  # noqa: TID251  what it is to survive
from dataclasses import InitVar, dataclass, field

import examples
import pytest

from orchestrator.domain import quick_init


@dataclass(frozen=True, slots=True)
class Slow:
    """As `dataclasses` makes it."""

    whole: int
    text: str = "text"
    rows: list[int] = field(default_factory=list)
    quiet: str = field(default="", repr=False, compare=False)


@quick_init
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, quick to make."""

    whole: int
    text: str = "text"
    rows: list[int] = field(default_factory=list)
    quiet: str = field(default="", repr=False, compare=False)


@quick_init
@dataclass(frozen=True, slots=True)
class Wider(Quick):
    """With a field more than the class that it follows."""

    more: int = 0


@pytest.mark.parametrize("values", [(1,), (1, "a"), (1, "a", [2]), (1, "a", [2], "b")])
def test_values_stand_where_they_were_given(values: tuple[object, ...]) -> None:
    """By place or by name, and what is left out has its default."""
    names = [each.name for each in dataclasses.fields(Slow)][: len(values)]
    named = dict(zip(names, values, strict=True))

    assert dataclasses.astuple(Quick(*values)) == dataclasses.astuple(Slow(*values))  # type: ignore[arg-type]
    assert dataclasses.astuple(Quick(**named)) == dataclasses.astuple(Slow(**named))  # type: ignore[arg-type]


def test_each_has_a_default_of_its_own() -> None:
    """A list that one holds is not the next one's."""
    assert Quick(1).rows is not Quick(1).rows


def test_it_stays_frozen() -> None:
    """Nobody changes it by accident."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Quick(1).whole = 2  # type: ignore[misc]


def test_it_is_the_same_dataclass_in_all_else() -> None:
    """Equality, text, copies, pickles and its signature."""
    one = Quick(1, "a", quiet="hidden")

    assert one == Quick(1, "a", quiet="other")
    assert repr(one) == repr(Slow(1, "a")).replace("Slow", "Quick")
    assert dataclasses.replace(one, whole=2) == Quick(2, "a")
    assert pickle.loads(pickle.dumps(one)) == one
    assert [*inspect.signature(Quick).parameters] == [*inspect.signature(Slow).parameters]


def test_a_class_that_follows_another_takes_the_fields_of_both() -> None:
    """The first class's come first."""
    assert (1, "a", [], "", 7) == dataclasses.astuple(Wider(1, "a", more=7))


@pytest.mark.parametrize("values", [(), (1, "a", [], "", 5)])
def test_too_few_or_too_many_values_are_refused(values: tuple[object, ...]) -> None:
    """As by any function."""
    with pytest.raises(TypeError):
        Quick(*values)  # type: ignore[arg-type]


def test_what_does_more_when_it_is_made_is_refused() -> None:
    """A step after the making, arguments that are no fields, fields by name alone, no slots."""

    @dataclass(frozen=True, slots=True)
    class Checked:
        whole: int

        def __post_init__(self) -> None:
            raise AssertionError

    @dataclass(frozen=True, slots=True)
    class Taking:
        whole: InitVar[int]

    @dataclass(frozen=True, slots=True, kw_only=True)
    class ByName:
        whole: int

    @dataclass(frozen=True)
    class Roomy:
        whole: int

    for kind in (Checked, Taking, ByName, Roomy):
        with pytest.raises(TypeError, match=kind.__name__):
            quick_init(kind)


@pytest.mark.parametrize("value", examples.VALUES, ids=lambda v: type(v).__name__)
def test_the_values_of_the_domain_can_be_made_from_their_fields(value: object) -> None:
    """Whatever made them."""
    names = [each.name for each in dataclasses.fields(value)]  # type: ignore[arg-type]

    assert value == type(value)(*(getattr(value, name) for name in names))
