"""The rule of a gateway pair as a model: two gateways, a venue, engines, and what goes wrong. Pure.

(a) The venue admits one session for each account; the gateway that holds it forwards only the highest epoch.
(b) At login a gateway's floor is at least every epoch in the ClOrdIDs of the venue's replay.
(c) Each gateway issues epochs of its own residue.
(d) A gateway that lost its state, or did not hold the session when the day ended, first needs its peer's
    copy or a floor signed by the authority: before that no fence and no login.
(e) One that lives on its peer's copy in place of its own lost state issues no epoch before its login: the
    copy may lack numbers that it had issued itself, and only the replay shows which of them are spent.

Then the epochs of accepted orders never fall, and no two holders share one, whoever is cut off; nobody
votes. Both are judged by what the venue accepted, and by nothing that a gateway believes. `World` is changed
in place by its steps, one fault or action each; which step comes next is decided in failover/walk.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from failover.epochs import next_epoch

LOST = -1  # a gateway that cannot say up to which day its floor covers what was accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which parts of the rule hold; to leave one out is to show what it is for."""

    one_session: bool = True  # (a)
    floor_from_replay: bool = True  # (b)
    own_residue: bool = True  # (c)
    floor_after_loss: bool = True  # (d)
    login_after_loss: bool = True  # (e)


@dataclass(slots=True)
class Gateway:
    """One of the pair. What is on its disk: floor, holder, covers_day and owes_login."""

    residue: int
    is_up: bool = True
    floor: int = 0  # the highest epoch that it knows
    holder: int | None = None  # of that epoch, where it knows
    covers_day: int = 0  # every epoch accepted up to the end of this day is at or below its floor
    owes_login: bool = False  # has the peer's copy in place of its own state, and has not logged in since
    session: int = 0  # the venue's session that it believes to hold; 0 none


@dataclass(slots=True)
class Message:
    """An order on its way to the venue, in one session."""

    session: int
    epoch: int
    holder: int


@dataclass(slots=True)
class World:
    """Everything at one moment. Engines are 0, 1, ...; gateways 0 and 1."""

    rule: Rule
    engines: int = 3
    gateways: tuple[Gateway, Gateway] = field(default_factory=lambda: (Gateway(1), Gateway(0)))
    day: int = 1
    session: int = 0  # the venue's current session; numbers are never used again
    owner: int | None = None  # the gateway behind it
    sessions: set[int] = field(default_factory=set)  # all that are open: one, where (a) holds
    replay_max: int = 0  # highest epoch in the ClOrdIDs of the day
    issued_max: int = 0  # what the authority has signed
    accepted: int = 0
    accepted_max: int = 0
    holder_of: dict[int, int] = field(default_factory=dict)  # accepted epoch -> holder
    pair_up: bool = True
    venue_up: list[bool] = field(default_factory=lambda: [True, True])
    grants: dict[int, int] = field(default_factory=dict)  # engine -> the epoch that it was given last
    claims: dict[tuple[int, int], int] = field(default_factory=dict)  # engine, gateway -> claimed epoch
    wires: tuple[list[Message], list[Message]] = field(default_factory=lambda: ([], []))
    violation: str = ""

    # What operators, gateways and engines do.

    def fence(self, number: int, engine: int) -> None:
        """Gateway NUMBER issues an epoch for ENGINE, and copies it to its peer where it can."""
        gateway, peer = self.gateways[number], self.gateways[1 - number]
        if not gateway.is_up or not self._may_act(gateway):
            return
        if self.rule.login_after_loss and gateway.owes_login:
            return
        epoch = next_epoch(gateway.floor, gateway.residue if self.rule.own_residue else None)
        gateway.floor, gateway.holder = epoch, engine
        self.issued_max = max(self.issued_max, epoch)
        self.grants[engine] = epoch
        if self.pair_up and peer.is_up and epoch > peer.floor:
            peer.floor, peer.holder = epoch, engine

    def claim(self, engine: int, number: int) -> None:
        """ENGINE claims the epoch that it was given last at gateway NUMBER."""
        gateway, epoch = self.gateways[number], self.grants.get(engine)
        if gateway.is_up and epoch is not None and epoch == gateway.floor and gateway.holder == engine:
            self.claims[engine, number] = epoch

    def order(self) -> None:
        """Every engine that ever claimed sends an order; a gateway judges its epoch when it forwards it."""
        for (engine, number), epoch in self.claims.items():
            gateway = self.gateways[number]
            if gateway.session and epoch >= gateway.floor:
                self.wires[number].append(Message(gateway.session, epoch, engine))

    def deliver(self, number: int) -> None:
        """What gateway NUMBER has written arrives; it is accepted if its session is still open."""
        if not self.venue_up[number]:
            return
        for message in self.wires[number]:
            if message.session in self.sessions:
                self._accept(message)
        self.wires[number].clear()

    def login(self, number: int) -> None:
        """Gateway NUMBER logs in; the venue drops whoever held the account before, and replays the day."""
        gateway = self.gateways[number]
        if not gateway.is_up or not self.venue_up[number] or not self._may_act(gateway):
            return
        self.session += 1
        if self.rule.one_session:
            self.sessions.clear()
            self.owner = number
        elif self.owner is None:
            self.owner = number
        self.sessions.add(self.session)
        gateway.session, gateway.owes_login = self.session, False
        if self.rule.floor_from_replay and self.replay_max > gateway.floor:
            gateway.floor, gateway.holder = self.replay_max, None

    def peer_copy(self, number: int) -> None:
        """Gateway NUMBER takes over what its peer knows, if that covers all days before this one."""
        gateway, peer = self.gateways[number], self.gateways[1 - number]
        if not (self.pair_up and gateway.is_up and peer.is_up) or peer.covers_day < self.day - 1:
            return
        if peer.floor > gateway.floor:
            gateway.floor, gateway.holder = peer.floor, peer.holder
        gateway.covers_day = max(gateway.covers_day, peer.covers_day)

    def signed_floor(self, number: int) -> None:
        """The authority signs a floor for gateway NUMBER: at least every epoch that it has ever signed."""
        gateway = self.gateways[number]
        if not gateway.is_up:
            return
        if self.issued_max > gateway.floor:
            gateway.floor, gateway.holder = self.issued_max, None
        gateway.covers_day, gateway.owes_login = self.day - 1, False

    # What goes wrong.

    def crash(self, number: int) -> None:
        """Gateway NUMBER dies; its disk stays. What it had written to the venue may still arrive."""
        gateway = self.gateways[number]
        gateway.is_up, gateway.session = False, 0
        for engine in range(self.engines):
            self.claims.pop((engine, number), None)

    def restart(self, number: int) -> None:
        """It comes back with what is on its disk."""
        self.gateways[number].is_up = True

    def lose_state(self, number: int) -> None:
        """Its disk is lost while it is down."""
        gateway = self.gateways[number]
        if not gateway.is_up:
            gateway.floor, gateway.holder, gateway.covers_day, gateway.owes_login = 0, None, LOST, True

    def link_pair(self, *, is_up: bool) -> None:
        """The link between the two is cut, or comes back."""
        self.pair_up = is_up

    def link_venue(self, number: int, *, is_up: bool) -> None:
        """The link between gateway NUMBER and the venue is cut, or comes back; nobody notices by itself."""
        self.venue_up[number] = is_up

    def roll_day(self) -> None:
        """The day ends: the venue ends its session and forgets the day. Who held it to the end knows so."""
        if self.owner is not None:
            gateway = self.gateways[self.owner]
            sees_the_end = gateway.is_up and self.venue_up[self.owner] and gateway.session in self.sessions
            if sees_the_end and gateway.covers_day >= self.day - 1:
                gateway.covers_day = self.day
        self.day += 1
        self.owner, self.replay_max = None, 0
        self.sessions.clear()

    # The judge.

    def _accept(self, message: Message) -> None:
        epoch, holder = message.epoch, message.holder
        self.accepted += 1
        self.replay_max = max(self.replay_max, epoch)
        if epoch < self.accepted_max:
            self.violation = f"the venue accepted epoch {epoch} after epoch {self.accepted_max}"
        other = self.holder_of.setdefault(epoch, holder)
        if other != holder:
            self.violation = f"the venue accepted epoch {epoch} from engine {other} and from engine {holder}"
        self.accepted_max = max(self.accepted_max, epoch)

    def _may_act(self, gateway: Gateway) -> bool:
        return not self.rule.floor_after_loss or gateway.covers_day >= self.day - 1
