"""A story told as it happened: who calls, who rings, who leaves; each word becomes the facts a real Asterisk tells."""

from typing import Any, Self

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import AgentState
from tests.domain.told import CLIENT, MOBILE, MONDAY_NOON, Line, Told

__all__ = ["CLIENT", "MOBILE", "MONDAY_NOON", "Story"]


class Story(Told):
    """The words; every one of them returns the story, so that it reads as one sentence."""

    # who calls

    def calls_in(self, number: str | None = CLIENT, line: str = "1001") -> Self:
        """A customer calls through the trunk, and the PBX picks up to play its greeting or its queue's music."""
        self._begin(trunk=True, endpoint="PJSIP/trunk", number=number, exten=line)
        return self.tell(f.LegAnswered, leg=self.key)

    def dials(self, agent: str, exten: str) -> Self:
        """An employee takes the handset and dials."""
        self._begin(endpoint=f"PJSIP/{agent}", agent=agent, number=agent, exten=exten)
        return self

    def is_clicked_for(self, agent: str) -> Self:
        """The PBX itself calls the employee (Originate), who picks up."""
        self._begin(endpoint=f"PJSIP/{agent}", agent=agent, number=agent, exten="s", incoming=False)
        self.tell(f.DialBegan, leg="", dest=self.key, number=agent).tell(f.LegRang, leg=self.key)
        return self.after(1).tell(f.LegAnswered, leg=self.key)

    def _begin(self, **what: Any) -> None:
        leg = self._new_leg()
        self._line = self._lines[leg] = Line(first=leg)
        self._start(leg, leg, **{"incoming": True, **what})

    def _new_leg(self) -> str:
        return f"{self.floor.node}.{next(self._count)}"

    def _start(self, leg: str, linked: str, **what: Any) -> None:
        usual = {"agent": None, "number": None, "exten": "s", "trunk": False, "local": False, "incoming": False}
        self.tell(f.LegStarted, leg=leg, linked=linked, **{**usual, **what})

    # where the caller goes

    def hears_menu(self, name: str = "1010") -> Self:
        return self.tell(f.StepReached, leg=self.key, step=f.Step.IVR, name=name)

    def waits_in(self, queue: str) -> Self:
        self.line.queue = queue
        self.tell(f.StepReached, leg=self.key, step=f.Step.QUEUE, name=queue)
        return self.tell(f.CallQueued, leg=self.key, queue=queue)

    def leaves_a_voicemail(self, box: str = "100") -> Self:
        return self.tell(f.StepReached, leg=self.key, step=f.Step.VOICEMAIL, name=box)

    def is_put_through_to(self, *targets: str) -> Self:
        """The dialplan's Dial: extensions, or numbers outside."""
        self.line.queue = None
        found = tuple(f.Target(number=t) if t.startswith("+") else f.Target(agent=t) for t in targets)
        step = {"step": f.Step.DIAL, "name": "&".join(targets), "targets": found}
        return self.tell(f.StepReached, leg=self.key, **step).tell(f.DialFinished, leg=self.key, status="")

    def dial_ends(self, status: str) -> Self:
        return self.tell(f.DialFinished, leg=self.key, status=status)

    def queue_ends(self, status: str = "TIMEOUT", cause: int = 0) -> Self:
        """The queue lets the caller go; phones that still ring stop."""
        self.tell(f.CallUnqueued, leg=self.key, queue=self.line.queue)
        if status:
            self.tell(f.QueueFinished, leg=self.key, status=status)
        return self.stop_ringing(cause)

    def is_parked(self, space: str = "701") -> Self:
        return self.tell(f.CallParked, leg=self.key, space=space)

    # phones

    def rings(self, *agents: str, heard: bool = True, endpoint: str | None = None) -> Self:
        """Their phones ring: for the queue the caller waits in, else for the Dial he is in."""
        for agent in agents:
            leg = self._phone(agent, endpoint=endpoint or f"PJSIP/{agent}", agent=agent, number=agent)
            if self.line.queue is not None:
                self.tell(f.AgentOffered, leg=self.key, dest=leg, queue=self.line.queue, agent=agent)
            self.tell(f.DialBegan, leg=self.key, dest=leg, number=agent)
            if heard:
                self.tell(f.LegRang, leg=leg)
        return self

    def rings_behind_local(self, agent: str) -> Self:
        """A FreePBX member: the queue dials Local/104@from-queue/n, whose far half dials the phone."""
        near, far = self._local(agent, "from-queue")
        self.line.halves[agent] = (near, far)
        self.tell(f.AgentOffered, leg=self.key, dest=near, queue=self.line.queue, agent=agent)
        self.tell(f.DialBegan, leg=self.key, dest=near, number=agent)
        step = {"step": f.Step.DIAL, "name": agent, "targets": (f.Target(agent=agent),)}
        self.tell(f.StepReached, leg=far, **step)
        leg = self._phone(agent, endpoint=f"PJSIP/{agent}", agent=agent, number=agent)
        return self.tell(f.DialBegan, leg=far, dest=leg, number=agent).tell(f.LegRang, leg=leg)

    def _local(self, exten: str, context: str) -> tuple[str, str]:
        near, far = self._new_leg(), self._new_leg()
        for half in (near, far):
            self._start(half, self.key, endpoint=f"Local/{exten}@{context}", agent=exten, exten=exten, local=True)
        self.tell(f.LocalJoined, leg=near, other=far)
        return near, far

    def local(self, dialler: str, exten: str, agent: str | None = None) -> str:
        """That channel dials a Local channel, named after the agent; its far half, where the dialplan goes on."""
        near, far = self._new_leg(), self._new_leg()
        for half in (near, far):
            self._start(half, self.key, endpoint=f"Local/{exten}", agent=agent, exten=exten, local=True)
        self.tell(f.LocalJoined, leg=near, other=far).tell(f.DialBegan, leg=dialler, dest=near, number=exten)
        return far

    def phone(self, dialler: str, who: str, *, trunk: bool = False) -> str:
        """That channel rings a phone, or (`trunk`) a number outside; returns the phone's channel."""
        phone = {"endpoint": "PJSIP/trunk", "trunk": True} if trunk else {"endpoint": f"PJSIP/{who}", "agent": who}
        leg = self._phone(who, **phone)
        self.tell(f.DialBegan, leg=dialler, dest=leg, number=who).tell(f.LegRang, leg=leg)
        return leg

    def rings_outside(self, number: str = MOBILE, person: str | None = None, heard: bool = True) -> Self:
        """A leg goes out through the trunk; `person` when settings map the number to somebody."""
        leg = self._phone(number, endpoint="PJSIP/trunk", trunk=True)
        self.tell(f.DialBegan, leg=self.key, dest=leg, number=person or number)
        return self.tell(f.LegRang, leg=leg) if heard else self

    def _phone(self, who: str, **what: Any) -> str:
        leg = self._new_leg()
        self._start(leg, self.key, **what)
        self.line.phones[who] = leg
        self.line.ringing.append(who)
        return leg

    def stops(self, who: str, cause: int = 0) -> Self:
        """That phone stops ringing; the cause is its own Hangup's (0 when the PBX cancelled it)."""
        self.line.ringing.remove(who)
        return self.tell(f.LegEnded, leg=self.line.phones[who], cause=cause)

    def declines(self, who: str, cause: int = 21) -> Self:
        """The phone itself refuses."""
        return self.tell(f.HangupAsked, leg=self.line.phones[who]).stops(who, cause)

    def stop_ringing(self, cause: int = 0) -> Self:
        for who in tuple(self.line.ringing):
            self.stops(who, cause)
        return self

    def picks_up(self, who: str) -> Self:
        """The phone is answered; the bridge is still to come."""
        return self.tell(f.LegAnswered, leg=self.line.phones[who])

    def answers(self, who: str, others: int = 26) -> Self:
        """Picked up and joined with the caller; the others' phones are cancelled with that cause."""
        self.picks_up(who)
        self.line.ringing.remove(who)
        if self.line.queue is not None:
            self.tell(f.CallUnqueued, leg=self.key, queue=self.line.queue).tell(f.AgentConnected, **self._member(who))
        else:
            self.dial_ends("ANSWER")
        self.stop_ringing(others)
        return self.joins(who)

    def _member(self, who: str) -> dict[str, Any]:
        dest = self.line.halves.get(who, (self.line.phones[who], ""))[0]
        return {"leg": self.key, "dest": dest, "queue": self.line.queue, "agent": who}

    def joins(self, who: str) -> Self:
        """Caller and phone come into one bridge (a Local member's halves in between)."""
        self.line.bridge = f"bridge-{next(self._count)}"
        self.line.talking.append(who)
        near, far = self.line.halves.get(who, ("", ""))
        if far:
            self.enters(self.line.phones[who], f"{self.line.bridge}-far").enters(far, f"{self.line.bridge}-far")
        self.enters(near or self.line.phones[who], self.line.bridge)
        return self.enters(self.key, self.line.bridge)

    def enters(self, leg: str, bridge: str) -> Self:
        return self.tell(f.BridgeEntered, leg=leg, bridge=bridge)

    def parts(self, leg: str, bridge: str) -> Self:
        return self.tell(f.BridgeLeft, leg=leg, bridge=bridge)

    def dumps(self, agent: str) -> Self:
        """A queue's member picks up and drops before the bridge."""
        self.picks_up(agent).tell(f.HangupAsked, leg=self.line.phones[agent])
        self.tell(f.AgentDumped, **self._member(agent))
        return self.stops(agent, 16)

    def holds(self, who: str) -> Self:
        return self.tell(f.LegHeld, leg=self.line.phones[who])

    def unholds(self, who: str) -> Self:
        return self.tell(f.LegUnheld, leg=self.line.phones[who])

    # who leaves

    def hangs_up(self, who: str) -> Self:
        """The one who answered hangs up, and the PBX lets the caller go."""
        self.tell(f.HangupAsked, leg=self.line.phones[who])
        return self._completes(who, "agent")._unbridge().tell(f.HangupOrdered, leg=self.key)._over()

    def caller_leaves(self) -> Self:
        self.tell(f.HangupAsked, leg=self.key)
        for who in self.line.talking:
            self._completes(who, "caller")
        self._unbridge()
        if self.line.queue is not None and not self.line.talking:
            self.tell(f.CallUnqueued, leg=self.key, queue=self.line.queue)
        return self.tell(f.HangupOrdered, leg=self.key).stop_ringing()._over()

    def pbx_ends(self, cause: int = 16) -> Self:
        """The dialplan is at its end, or hangs up."""
        return self.tell(f.HangupOrdered, leg=self.key).stop_ringing()._over(cause)

    def _completes(self, who: str, reason: str) -> Self:
        if self.line.queue is None or who not in self.line.talking:
            return self
        return self.tell(f.AgentCompleted, **self._member(who), reason=reason)

    def _unbridge(self) -> Self:
        for who in self.line.talking:
            near, far = self.line.halves.get(who, ("", ""))
            if far:
                self.parts(self.line.phones[who], f"{self.line.bridge}-far").parts(far, f"{self.line.bridge}-far")
            self.parts(near or self.line.phones[who], self.line.bridge)
        return self.parts(self.key, self.line.bridge) if self.line.talking else self

    def _over(self, cause: int = 16) -> Self:
        for who in self.line.talking:
            for leg in (*self.line.halves.get(who, ()), self.line.phones[who]):
                self.tell(f.LegEnded, leg=leg, cause=cause)
        self.line.talking.clear()
        return self.tell(f.LegEnded, leg=self.key, cause=cause)

    # transfers

    def sends_blind(self, who: str, to: str) -> Self:
        """A blind transfer; what rings next is the target's phone."""
        leg = self.line.phones[who]
        self.tell(f.TransferredBlind, leg=leg, to=to).parts(self.key, self.line.bridge)
        self.tell(f.DialFinished, leg=self.key, status="")
        self._completes(who, "transfer").parts(leg, self.line.bridge).tell(f.LegEnded, leg=leg, cause=16)
        self.line.talking.remove(who)
        self.line.queue = None
        return self

    def consults(self, who: str, target: str) -> Self:
        """An attended transfer begins: the caller waits in his bridge while the agent calls a colleague."""
        leg = self.line.phones[who]
        self.holds(who)
        near, far = self.line.halves[target] = self._local(target, "from-internal")
        self.enters(near, f"consult-{near}").parts(leg, self.line.bridge).enters(leg, f"consult-{near}")
        phone = self._phone(target, endpoint=f"PJSIP/{target}", agent=target, number=target)
        return self.tell(f.DialBegan, leg=far, dest=phone, number=target).tell(f.LegRang, leg=phone)

    def is_consulted(self, target: str) -> Self:
        """The colleague answers the consultation."""
        self.picks_up(target).line.ringing.remove(target)
        near, far = self.line.halves[target]
        self.tell(f.DialFinished, leg=far, status="ANSWER")
        for leg in (far, near):
            self.tell(f.LegAnswered, leg=leg)
        return self.enters(self.line.phones[target], f"far-{near}").enters(far, f"far-{near}")

    def hands_over(self, who: str, target: str) -> Self:
        """The attended transfer is completed: the colleague (who may still be ringing) has the caller now."""
        leg, near = self.line.phones[who], self.line.halves[target][0]
        self.tell(f.HangupAsked, leg=leg).parts(near, f"consult-{near}").enters(near, self.line.bridge)
        self.tell(f.TransferredAttended, leg=leg, second=leg, target=near)
        self._completes(who, "transfer").parts(leg, f"consult-{near}").tell(f.LegEnded, leg=leg, cause=16)
        self.line.talking.remove(who)
        self.line.talking.append(target)
        self.line.queue = None
        return self

    def takes_back(self, who: str, target: str) -> Self:
        """The attended transfer is cancelled: the agent is with the caller again."""
        leg, (near, far) = self.line.phones[who], self.line.halves[target]
        self.parts(leg, f"consult-{near}").enters(leg, self.line.bridge).unholds(who)
        if target in self.line.ringing:
            self.line.ringing.remove(target)
        for each in (near, far, self.line.phones[target]):
            self.tell(f.LegEnded, leg=each, cause=16)
        return self

    # agents

    def works_in(self, agent: str, *queues: str, wrapup: int = 0) -> Self:
        for queue in queues:
            self.tell(f.MemberAdded, agent=agent, queue=queue, wrapup=wrapup)
        return self

    def leaves_queues(self, agent: str, *queues: str) -> Self:
        for queue in queues:
            self.tell(f.MemberRemoved, agent=agent, queue=queue)
        return self

    def pauses(self, agent: str, *queues: str, reason: str | None = None) -> Self:
        for queue in queues:
            self.tell(f.MemberPaused, agent=agent, queue=queue, paused=True, reason=reason)
        return self

    def unpauses(self, agent: str, *queues: str) -> Self:
        for queue in queues:
            self.tell(f.MemberPaused, agent=agent, queue=queue, paused=False)
        return self

    def phone_is(self, agent: str, online: bool, endpoint: str | None = None) -> Self:
        return self.tell(f.DeviceSeen, agent=agent, endpoint=endpoint or f"PJSIP/{agent}", online=online)

    def dnd(self, agent: str, on: bool = True, flag: str = "DND") -> Self:
        return self.tell(f.DndChanged, agent=agent, flag=flag, on=on)

    def presence(self, agent: str, status: str, subtype: str | None = None, message: str | None = None) -> Self:
        return self.tell(f.PresenceChanged, agent=agent, status=status, subtype=subtype, message=message)

    def state(self, agent: str) -> AgentState:
        """How available the agent is now."""
        return self.agent(agent).availability.state
