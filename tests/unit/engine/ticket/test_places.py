"""Places at the issuer: strangers take none from the users of slots, and no user takes another's."""

from __future__ import annotations

import random

from engine.ticket.daemon import _PLACES_OF_A_USER, _PLACES_OF_STRANGERS, Places

SLOTS = (100, 101)


def test_strangers_never_take_a_place_of_a_slots_user() -> None:
    places = Places()
    taken = [uid for uid in range(1000, 1100) for _ in range(20) if places.take(uid, SLOTS)]
    assert len(taken) == _PLACES_OF_STRANGERS
    for uid in SLOTS:
        assert sum(places.take(uid, SLOTS) for _ in range(20)) == _PLACES_OF_A_USER


def test_what_is_given_back_can_be_taken_again() -> None:
    draw, places = random.Random(7), Places()
    held: list[int] = []
    for _ in range(2000):
        if held and draw.random() < 0.5:
            places.give_back(held.pop(draw.randrange(len(held))))
        elif places.take(uid := draw.choice((*SLOTS, 7, 8, 9)), SLOTS):
            held.append(uid)
        assert all(held.count(uid) <= _PLACES_OF_A_USER for uid in set(held))
    for uid in held:
        places.give_back(uid)
    assert all(places.take(uid, SLOTS) for uid in SLOTS)
