"""Text that can be sent."""

import pytest

from modelport.domain.unicode import well_formed


def test_well_formed() -> None:
    """Text of whole characters comes back as it is."""
    assert well_formed("이\U0001f600", "here") == "이\U0001f600"
    with pytest.raises(ValueError, match=r"here: '\\udfff' at 1 is half a character"):
        well_formed("이\udfff", "here")
