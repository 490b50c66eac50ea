"""`MLXModel` keeps the laws of the port with real weights; test_laws has it keep them with a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("mlx_lm")

from laws import LAWS
from mlx_subject import Real


@pytest.fixture(scope="module")
def real() -> Real:
    return Real()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept_by_real_weights(law: Callable[[Any], None], real: Real) -> None:
    law(real)
