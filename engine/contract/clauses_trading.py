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
        "all messages of a connection belong to one epoch",
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
        "the gateway decides who is the leader",
    ),
    trading(
        "link.clordid",
        "ClOrdID is 5 base-36 characters of the epoch and 8 of a rising sequence, space padded to 14.",
        "the venue's log alone proves who traded",
    ),
    trading(
        "link.urn_rises",
        "User reference numbers rise, across reconnects and restarts, and start at the gateway's `next_urn` "
        "or above.",
        "the venue ignores a number it has already seen",
    ),
    trading(
        "link.resend",
        "After a reconnect with the same epoch, unanswered orders are resent, same bytes, in order, before "
        "any new one.",
        "this gives exactly-once orders at the venue",
    ),
    trading(
        "link.stale_stops",
        "At the first `stale_epoch` reject it goes to STANDBY and sends nothing more, not even cancels.",
        "the new leader's orders may be among those it would cancel",
    ),
    trading(
        "link.replayed",
        "A promote ends ACTIVE only behind the gateway's mark: everything that the venue said before the "
        "login is counted.",
        "a quiet moment is not the end of a day, and a position that is missing is traded on",
    ),
    trading(
        "link.continues",
        "A reconnect asks for the responses behind the last one that was taken, and counts none twice.",
        "an execution that is counted twice is a position that nobody has",
    ),
    trading(
        "link.newest_epoch",
        "A reconnect claims the epoch of the last promote, whatever was claimed before it.",
        "an older epoch is another leader's past",
    ),
    trading(
        "link.aged",
        "After a reconnect an unanswered order older than `order_age_max_ms` is not sent again; its cancel "
        "may be.",
        "a price of a minute ago is not what anybody decided",
    ),
    trading(
        "link.peer_dead",
        "A gateway that says nothing for `link_silence_max_ms` is given up, and the next connection claims "
        "anew.",
        "a peer that hangs answers no cancel either, and TCP alone notices after minutes",
    ),
    trading(
        "link.broken",
        "A stream that is no SoupBinTCP any more (a packet of length 0) is given up, and the next connection "
        "claims anew.",
        "behind such a packet nothing can be found again: it would never hear of a fill",
    ),
    trading(
        "link.heartbeat",
        "It sends something at least every second while logged in.",
        "SoupBinTCP peers drop a silent session",
    ),
    trading(
        "link.beats",
        "Asked for beats by the welcome, it sends one at least every `beat_ms` while its hot loop turns, "
        "and none while that does not.",
        "the gateway judges by them whether the holder trades; a helper thread would beat for a dead loop",
    ),
    trading(
        "link.demote",
        "`demote` leads to STANDBY and sends nothing and cancels nothing afterwards.",
        "a planned switchover keeps its orders",
    ),
    trading(
        "egress.shadow",
        "With egress `shadow` intents are decided and journaled, and no order reaches a gateway.",
        "a new build first runs in parallel with the old one",
    ),
    trading(
        "intent.only_conformance",
        "Without `--conformance` `intent` is refused; `--conformance` with egress `live` exits 64.",
        "no test interface in production",
    ),
)

ORDERS: tuple[Clause, ...] = (
    trading(
        "order.enter",
        "An accepted intent arrives as OUCH Enter Order with its side, quantity, symbol and price.",
        "what was checked must be what is sent",
    ),
    trading(
        "order.cancel",
        "A cancel intent arrives as OUCH Cancel Order of that reference number in the profile's length.",
        "profiles differ by the appendage length field",
    ),
    trading(
        "order.executions",
        "Executions, cancels and rejects move position and open orders in `status`.",
        "risk checks depend on them",
    ),
    trading(
        "order.events",
        "Every event of the venue moves open orders and positions as the venue counts them: partial cancels "
        "and replaces of this account too.",
        "what is passed over is missing in every limit",
    ),
    trading(
        "order.unknown",
        "An execution of an unknown order, a broken trade, and an event that is not understood lead to "
        "REDUCING.",
        "a position that nobody can compute is looked at before more is traded",
    ),
    trading(
        "order.restored",
        "Position, open orders and daily loss survive SIGKILL and restart.",
        "limits that a restart resets are no limits",
    ),
    trading(
        "order.reconciled",
        "A drop copy whose positions differ refuses the promote with `not_reconciled`; an equal one does "
        "not.",
        "trading on a wrong position may double it",
    ),
    trading(
        "journal.before_send",
        "With durability `durable`, an order's bytes are in the journal on disk before the gateway sees "
        "them.",
        "what is not journaled can be neither resent nor explained",
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
        "kill.unanswered",
        "A kill sends a cancel for an order that the venue has not answered, too.",
        "what is on its way may be filled next",
    ),
    trading(
        "kill.reply",
        "`kill` answers with open orders before, cancels sent and acked, fills since, positions, and "
        "`flattened` false.",
        "the operator must know what is left",
    ),
    trading(
        "kill.blocks_intents",
        "An intent while HALTED is refused and does not reach the gateway.",
        "the block is upstream of the socket",
    ),
    trading(
        "drain.cancels",
        "SIGTERM cancels every open order, waits for the answers and exits 0.",
        "0 means no open orders",
    ),
    trading(
        "drain.unanswered",
        "When cancels stay unanswered it exits 69 after `drain_timeout_ms`, and its last line says how many "
        "are open.",
        "a stop that hides open orders is worse than none",
    ),
    trading(
        "drain.forced",
        "A second SIGTERM ends it promptly, never with exit 0.",
        "a forced stop must stay visible",
    ),
    trading(
        "reduce.only",
        "In REDUCING an order passes only if it brings the position nearer to zero; `resume` needs a named "
        "operator.",
        "reducing a position must stay possible",
    ),
)

FEED: tuple[Clause, ...] = (
    trading(
        "feed.arbitration",
        "It takes each message once, from whichever line is first, A or B, and needs only one of them.",
        "either line may lose packets at any time",
    ),
    trading(
        "feed.rerequest",
        "A gap on both lines is requested from the request server with its first missing number and count.",
        "a book with a gap is a wrong book",
    ),
    trading(
        "feed.collar",
        "The collar follows the touch: what it refuses is measured from the last good one.",
        "a reference of this morning lets through what is far off by noon",
    ),
    trading(
        "feed.progress",
        "Only the session in force keeps the feed fresh, with numbers that are not behind: garbage, other "
        "sessions and old numbers do not.",
        "a dead feed that something keeps alive is an old book that is traded on",
    ),
    trading(
        "feed.session",
        "Messages of another session never reach the book, and the session in force goes on beside them.",
        "one stray publisher must not take the feed away",
    ),
    trading(
        "feed.sources",
        "With `feed_sources`, what another address sends is counted and changes nothing: no book, no "
        "freshness.",
        "whoever reaches the group can send, and a test publisher knows the session's name",
    ),
    trading(
        "feed.pinned",
        "With `feed_session`, no other session is ever taken, however early and steadily it speaks.",
        "on a cold start the first to speak need not be the venue",
    ),
    trading(
        "feed.new_day",
        "A session that follows the end of the one before begins with an empty book: no order leaves before "
        "its own touch.",
        "yesterday's best price is nobody's offer",
    ),
    trading(
        "feed.ended",
        "Behind an end of session no order leaves; what contradicts the end is taken.",
        "nothing in a book whose day is over can be traded, and one stray datagram ends no day",
    ),
    trading(
        "feed.jump",
        "A number far ahead that one datagram claims opens no gap for good: the line that goes on below it "
        "withdraws it.",
        "one stray datagram must not stop an engine until a person comes",
    ),
)

RISK: tuple[Clause, ...] = (
    trading(
        "risk.symbol",
        "An order in a symbol not on the allow-list is refused.",
        "RTS 6 article 8: instruments",
    ),
    trading("risk.size", "Quantity at `order_quantity_max` passes, one more is refused.", "a fat finger"),
    trading(
        "risk.notional", "Order value at its limit passes, above it is refused.", "RTS 6 article 15: value"
    ),
    trading(
        "risk.gross",
        "Value of all working orders at its limit passes, above it is refused.",
        "many small orders add up",
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
        "too many orders cannot be cancelled in time",
    ),
    trading(
        "risk.duplicate",
        "The same order within the window is refused; afterwards it passes.",
        "a runaway strategy loop",
    ),
    trading(
        "risk.daily_loss",
        "A realised loss at the limit passes; beyond it the state is REDUCING and opening orders are "
        "refused.",
        "stop while the loss is small",
    ),
    trading(
        "risk.stale_feed",
        "Orders are refused once no packet came for `feed_stale_ms`.",
        "a stale price is not a price",
    ),
    trading("risk.gapped_feed", "Orders are refused while the feed has an open gap.", "a wrong book"),
    trading(
        "risk.self_trade",
        "An order that would trade against its own working orders is refused.",
        "wash trades",
    ),
    trading(
        "risk.repeated",
        "After `repeated_executions_max` executions the state is REDUCING until a person says `resume`.",
        "RTS 6 article 15(3): repeated automated execution throttle",
    ),
    trading(
        "risk.aged",
        "Orders that waited while the process stood still for longer than `order_age_max_ms` are refused.",
        "a paused process must not trade on what it had decided to look at before",
    ),
    trading(
        "risk.limits_expired",
        "Orders are refused once the limits have expired; cancels pass.",
        "expired limits permit nothing",
    ),
)

TRADING: tuple[Clause, ...] = (*LINK, *ORDERS, *STOP, *FEED, *RISK)
