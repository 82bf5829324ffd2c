"""Clauses of level `trading`: the gateway link, orders, risk, and stopping with orders open."""

from __future__ import annotations

from engine.contract.clause import Clause, trading

LINK: tuple[Clause, ...] = (
    trading(
        "link.hello",
        "The first frame on a gateway connection is HELLO with contract, slot, egress and ticket as "
        "configured.",
        "the gateway admits builds, not addresses",
    ),
    trading(
        "link.claim",
        "Each connection carries exactly one CLAIM, with the promoted epoch, after HELLO and before the "
        "login.",
        "every message of a connection is under one epoch",
    ),
    trading(
        "link.silent_before_promote",
        "Before a promote an intent is refused with `not_active` and no order reaches the gateway.",
        "a spare must not trade",
    ),
    trading(
        "link.refused_claim",
        "A refused CLAIM answers the promote with `stale_epoch` and leaves STANDBY; the refused epoch is not "
        "used again.",
        "the gateway has the last word on who leads",
    ),
    trading(
        "link.clordid",
        "ClOrdID is 5 base-36 characters of the epoch and 8 of a rising sequence, space padded to 14.",
        "the venue's log alone proves who traded",
    ),
    trading(
        "link.urn_rises",
        "User reference numbers rise, also over reconnect and restart, and begin at the gateway's `next_urn` "
        "or above.",
        "the venue ignores a number it has seen",
    ),
    trading(
        "link.resend",
        "After a reconnect with the same epoch, unanswered orders go out again, same bytes, in order, before "
        "any new one.",
        "that gives exactly once at the venue",
    ),
    trading(
        "link.stale_stops",
        "At the first `stale_epoch` reject it goes to STANDBY and sends nothing more, not even cancels.",
        "the new leader's orders may be among those it would cancel",
    ),
    trading(
        "link.heartbeat",
        "It sends something at least every second while logged in.",
        "SoupBinTCP peers call a silent session dead",
    ),
    trading(
        "link.demote",
        "`demote` leads to STANDBY and sends nothing and cancels nothing afterwards.",
        "a planned hand-over keeps its orders",
    ),
    trading(
        "egress.shadow",
        "With egress `shadow` intents are decided and journaled, and no order reaches a gateway.",
        "a new build runs beside the old one first",
    ),
    trading(
        "intent.only_conformance",
        "Without `--conformance` `intent` is refused; `--conformance` with egress `live` exits 64.",
        "no test door in production",
    ),
)

ORDERS: tuple[Clause, ...] = (
    trading(
        "order.enter",
        "An accepted intent arrives as OUCH Enter Order with its side, quantity, symbol and price.",
        "what was checked must be what was sent",
    ),
    trading(
        "order.cancel",
        "A cancel intent arrives as OUCH Cancel Order of that reference number in the profile's length.",
        "the profile's bytes differ by an appendage length",
    ),
    trading(
        "order.executions",
        "Executions, cancels and rejects move position and open orders in `status`.",
        "risk stands on them",
    ),
    trading(
        "order.restored",
        "Position, open orders and daily loss after SIGKILL and restart are those of before.",
        "limits that restart at zero are none",
    ),
    trading(
        "order.reconciled",
        "A drop copy whose positions differ refuses the promote with `not_reconciled`; an equal one does "
        "not.",
        "trading on a wrong position doubles it",
    ),
    trading(
        "journal.before_send",
        "With durability `durable`, an order's bytes are in the journal on disk before the gateway sees "
        "them.",
        "what is not journaled cannot be resent or explained",
    ),
    trading(
        "metrics.orders",
        "engine_orders_sent_total and engine_cancels_sent_total equal what the gateway saw.",
        "reconciliation counts messages",
    ),
)

STOP: tuple[Clause, ...] = (
    trading(
        "kill.cancels",
        "A kill sends a cancel for every open order, and no order after it.",
        "RTS 6 article 12: cancel any or all unexecuted orders",
    ),
    trading(
        "kill.reply",
        "`kill` answers with open orders before, cancels sent and acked, fills since, positions, and "
        "`flattened` false.",
        "who killed must know what is left",
    ),
    trading(
        "kill.blocks_intents",
        "An intent while HALTED is refused and reaches nobody.",
        "the block is before the socket",
    ),
    trading(
        "drain.cancels",
        "SIGTERM cancels every open order, waits for the answers and exits 0.",
        "0 means flat of open orders",
    ),
    trading(
        "drain.unanswered",
        "When cancels stay unanswered it exits 69 after `drain_timeout_ms`, and its last line says how many "
        "are open.",
        "a stop that hides open orders is worse than none",
    ),
    trading(
        "drain.forced",
        "A second SIGTERM ends it soon, never with exit 0.",
        "impatience must stay visible",
    ),
    trading(
        "reduce.only",
        "In REDUCING an order passes only if it brings the position nearer to zero; `resume` needs a named "
        "operator.",
        "the way out must stay open",
    ),
)

FEED: tuple[Clause, ...] = (
    trading(
        "feed.arbitration",
        "It takes each message once from lines A and B, whichever comes first, and needs only one of them.",
        "one line is always losing something",
    ),
    trading(
        "feed.rerequest",
        "A gap on both lines is requested from the request server with its first missing number and count.",
        "a book with a hole is a wrong book",
    ),
)

RISK: tuple[Clause, ...] = (
    trading(
        "risk.symbol", "An order in a symbol off the allow-list is refused.", "RTS 6 article 8: instruments"
    ),
    trading("risk.size", "Quantity at `order_quantity_max` passes, one more is refused.", "a fat finger"),
    trading(
        "risk.notional", "Order value at its limit passes, above it is refused.", "RTS 6 article 15: value"
    ),
    trading(
        "risk.gross",
        "Value of all working orders at its limit passes, above it is refused.",
        "sum of small ones",
    ),
    trading(
        "risk.collar",
        "A price at the collar passes, one tick beyond it is refused, on both sides.",
        "price collar",
    ),
    trading(
        "risk.position",
        "Worst-case position at its limit passes, above it is refused.",
        "working orders may all fill",
    ),
    trading(
        "risk.rate",
        "Messages at the limit pass, the next in the same second is refused; cancels count and always pass.",
        "RTS 6 article 15: messages",
    ),
    trading(
        "risk.open_orders",
        "Open orders at the limit pass, one more is refused.",
        "orders nobody can cancel in time",
    ),
    trading(
        "risk.duplicate", "The same order inside the window is refused, after it passes.", "a loop gone wild"
    ),
    trading(
        "risk.daily_loss",
        "A realised loss at the limit passes; beyond it the state is REDUCING and opening orders are "
        "refused.",
        "stop while it is small",
    ),
    trading(
        "risk.stale_feed",
        "Orders are refused once no packet came for `feed_stale_ms`.",
        "an old price is no price",
    ),
    trading("risk.gapped_feed", "Orders are refused while the feed has an open gap.", "a wrong book"),
    trading(
        "risk.self_trade", "An order that would trade with an own working order is refused.", "wash trades"
    ),
    trading(
        "risk.repeated",
        "After `repeated_executions_max` executions the state is REDUCING until a person says `resume`.",
        "RTS 6 article 15(3): repeated automated execution throttle",
    ),
    trading(
        "risk.limits_expired",
        "Orders are refused once the limits have expired; cancels pass.",
        "stale permission",
    ),
)

TRADING: tuple[Clause, ...] = (*LINK, *ORDERS, *STOP, *FEED, *RISK)
