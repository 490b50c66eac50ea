"""What is told of a name that is no option; the table of first lines shows it as people see it."""

from __future__ import annotations

import pytest

from modelport.domain.options.misnamed import nearest, refusal
from modelport.domain.options.option import spread
from modelport.domain.options.option_names import CHAT, MLX


def of(model_id: str, *, seed: int = 0, **options: object) -> None:
    """A constructor."""


def test_what_has_no_place_for_others_tells_what_it_takes() -> None:
    told = "of: there is no option 'mood'; it takes max_tokens, seed"
    assert refusal("mood", "of", ["seed", "max_tokens"], of) == told


def test_an_argument_that_it_has_not_is_told_with_those_that_it_has() -> None:
    assert refusal("url", "of", MLX, of) == "of: there is no argument 'url'; it takes model_id, seed"


def test_what_only_the_provider_knows_has_a_place() -> None:
    told = "of: there is no option 'mood'; what only the provider knows goes into extra_body={'mood': ...}"
    assert refusal("mood", "of", CHAT, of) == told


def test_a_common_name_is_nearer_than_others() -> None:
    assert nearest("seeds", ["seed", "seed_"]) == "seed"


@pytest.mark.parametrize("extra", [None, {}])
def test_an_empty_body_adds_nothing(extra: object) -> None:
    assert spread({"seed": 7, "extra_body": extra}) == {"seed": 7}


def test_what_has_no_body_takes_what_is_in_it_among_the_others() -> None:
    options = {"seed": 7}
    assert spread(options) is options
    with pytest.raises(ValueError, match="options: seed stands in extra_body too; keep one"):
        spread({"seed": 7, "extra_body": {"seed": 8}})
    with pytest.raises(ValueError, match="options: extra_body is a dict, not list"):
        spread({"extra_body": [1]})
