"""Every domain value can be copied, pickled, compared and hashed, and none can be changed."""

import copy
import pickle
from typing import Any

import attrs
import pytest
from domain_values import attempts, errors, formats, messages, one_tool, requests, responses, usages
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.capability import Capabilities
from modelport.domain.event import Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta

values = st.one_of(
    attempts, errors, formats, messages, requests, responses, one_tool, usages,
    st.builds(Capabilities, st.booleans(), max_stops=st.none() | st.integers(0, 4)),
    st.builds(Finished, responses), st.builds(Failed, errors, st.none() | responses),
    st.builds(TextDelta, st.text()), st.builds(ReasoningDelta, st.text()), st.builds(ToolCallDelta, st.integers(0, 3)),
)  # fmt: skip


@given(values)
def test_values_are_values(value: Any) -> None:
    """A copy is equal, has the same hash and the same repr, however it was made."""
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)), attrs.evolve(value)):
        assert other == value
        assert hash(other) == hash(value)
        assert repr(other) == repr(value)


@given(values)
def test_values_are_frozen(value: Any) -> None:
    """No field can be set."""
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
