"""Tickets are sorted as the model says, and stay normal where it fails."""

from __future__ import annotations

import pytest
from adapters.model_reader import ModelReader
from domain.ticket import Ticket, Urgency

import adapters
import domain
from modelport import ModelError, ScriptedModel, compose, with_fallback, with_retry


@pytest.mark.parametrize(
    ("said", "urgency"),
    [("now", Urgency.NOW), ("Today.\nBecause...", Urgency.TODAY), ("Hard to say", Urgency.NORMAL)],
)
def test_a_ticket_is_as_urgent_as_the_model_says(said, urgency):
    model = ScriptedModel(said)
    assert Ticket("The printer is on fire").urgency(ModelReader(model)) is urgency
    assert model.requests[0].messages[-1].text == "The printer is on fire"
    assert model.requests[0].stop_sequences == ("\n",)


def test_a_model_that_fails_leaves_a_ticket_normal():
    assert Ticket("Hm").urgency(ModelReader(ScriptedModel(ModelError("server", "down")))) is Urgency.NORMAL


def test_layers_stand_behind_the_same_port():
    broken = ScriptedModel(ModelError("authentication", "no key"))
    model = compose(broken, with_retry(), with_fallback(ScriptedModel("now")))
    assert Ticket("Fire!").urgency(ModelReader(model)) is Urgency.NOW


def test_the_packages_are_the_applications_own():
    import modelport.adapters
    import modelport.domain

    assert domain is not modelport.domain
    assert adapters is not modelport.adapters
