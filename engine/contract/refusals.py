"""Refusal codes of an engine: a closed list, so that tools and operators can rely on it."""

from __future__ import annotations

ADMIN: dict[str, str] = {
    "bad_request": "not a JSON object on one line, an unknown critical field, a missing or mistyped one",
    "unknown_verb": "no such verb",
    "illegal_state": "the state table has no such edge from the present state",
    "stale_epoch": "the epoch is not above the highest ever seen, or the gateway has seen a greater one",
    "latched": "the kill latch is set",
    "not_reconciled": "risk state and drop copy differ, or the drop copy does not answer",
    "feed": "the feed is stale or has a gap",
    "gateway": "the gateway did not answer, or refused HELLO or login; `detail` quotes it",
    "operator": "operator or reason is missing or empty",
    "not_conformance": "only for a process started with --conformance",
    "not_active": "no order may be sent in this state",
    "reducing": "only orders that bring the position nearer to zero",
    "disconnected": "no session at the gateway",
    "unknown_order": "no open order with this reference number",
    "journal": "the journal cannot store the intent with the configured durability",
}

RISK: dict[str, str] = {
    "risk.symbol": "not on the allow-list",
    "risk.size": "quantity is zero or above `order_quantity_max`",
    "risk.notional": "quantity times price above `order_notional_max_e4`",
    "risk.gross": "all working orders together above `gross_notional_max_e4`",
    "risk.collar": "price beyond the collar around the last good BBO, or there is none",
    "risk.position": "position with all working orders of that side filled above `position_max`",
    "risk.rate": "more than `messages_per_second_max` messages in a second",
    "risk.open_orders": "over `open_orders_max`",
    "risk.duplicate": "same order within `duplicate_window_ms`",
    "risk.daily_loss": "realised loss over `daily_loss_max_e4`",
    "risk.stale_feed": "no packet for `feed_stale_ms`",
    "risk.gapped_feed": "sequence numbers of the feed are missing",
    "risk.self_trade": "would trade against one of the engine's own orders",
    "risk.repeated": "`repeated_executions_max` executions since the last `resume` by an operator",
    "risk.aged": "it waited longer than `order_age_max_ms`, or while the process stood still for longer",
    "risk.limits_expired": "the limits file has expired",
}
