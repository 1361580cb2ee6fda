"""A provider's circuits under any order of calls: nothing leaks, nothing changes unsaid."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.domain import CircuitState, ErrorClass, ErrorScope, Failure, Operation
from orchestrator.resilience import (
    Blame,
    BreakerOptions,
    CircuitBoard,
    CircuitPermit,
    CircuitRejection,
    CircuitTransition,
    Control,
    OpenCause,
    blame_of,
)

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN
INSTITUTIONS = (None, "ins_a", "ins_b", "ins_c")
OPERATIONS = (Operation.GET_ACCOUNTS, Operation.SYNC_TRANSACTIONS)
OPTIONS = BreakerOptions(
    failure_threshold=2, success_threshold=2, timeout_s=8.0, max_timeout_s=40.0, permit_lease_s=60.0
)


def failures() -> st.SearchStrategy[Failure]:
    """Any class with any scope, and our own two codes."""
    return st.builds(
        Failure,
        error_class=st.sampled_from(ErrorClass),
        scope=st.sampled_from(ErrorScope),
        code=st.sampled_from(["CODE", "CODE", "DEADLINE", "ACTOR_LOST"]),
        message=st.just("made for a test"),
    )


class BoardMachine(RuleBasedStateMachine):
    """Callers come, report, are late or die; operators interfere."""

    @initialize(probes_refused_keys=st.booleans(), max_narrower=st.sampled_from([2, 100]))
    def start(self, probes_refused_keys: bool, max_narrower: int) -> None:
        """Begin closed."""
        self.board = CircuitBoard(
            OPTIONS, probes_refused_keys=probes_refused_keys, max_narrower=max_narrower
        )
        self.now = 0.0
        self.told: dict[str, CircuitState] = {}
        self.held: list[CircuitPermit] = []

    def hear(self, transitions: tuple[CircuitTransition, ...]) -> None:
        """Follow the log of changes, circuit by circuit."""
        for moved in transitions:
            assert moved.from_state is self.told.get(moved.scope, CLOSED)
            assert moved.alarm <= (moved.scope == "provider" and moved.to_state is OPEN)
            self.told[moved.scope] = moved.to_state

    @rule(seconds=st.sampled_from([0.0, 1.0, 8.0, 61.0, 81.0, 301.0]))
    def wait(self, seconds: float) -> None:
        """Time passes without anybody looking."""
        self.now += seconds

    @rule()
    def observe(self) -> None:
        """Somebody looks."""
        self.hear(self.board.observe(self.now))

    @rule(
        operation=st.sampled_from(OPERATIONS),
        institution_id=st.sampled_from(INSTITUTIONS),
        panic=st.booleans(),
    )
    def ask(self, operation: Operation, institution_id: str | None, panic: bool) -> None:
        """What the board does is what it and its snapshot say beforehand."""
        expected = self.board.blocks(operation, institution_id, self.now)
        assert expected == self.board.snapshot(self.now).blocks(operation, institution_id)
        answer = self.board.admit(operation, institution_id, self.now, panic=panic)
        self.hear(answer.transitions)
        if isinstance(answer, CircuitRejection):
            assert answer.block == expected
            assert not (panic and answer.block.by_failures) or self.panics_out()
            return
        assert expected is None or (panic and expected.by_failures)
        assert answer.panic == (expected is not None)
        self.held.append(answer)

    def panics_out(self) -> int:
        """Calls in panic that have not come back."""
        return sum(permit.panic for permit in self.held)

    @rule(
        operation=st.sampled_from(OPERATIONS),
        institution_id=st.sampled_from(INSTITUTIONS),
        outcome=st.none() | failures(),
        times=st.integers(1, 3),
    )
    def call(
        self,
        operation: Operation,
        institution_id: str | None,
        outcome: Failure | None,
        times: int,
    ) -> None:
        """Calls that come back at once; who is nobody's fault changes nothing."""
        for _ in range(times):
            permit = self.board.admit(operation, institution_id, self.now)
            self.hear(permit.transitions)
            if isinstance(permit, CircuitRejection):
                return
            self.tell(permit, outcome)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), outcome=st.none() | failures(), again=st.booleans())
    def report(self, data: st.DataObject, outcome: Failure | None, again: bool) -> None:
        """A held call comes back, perhaps late; a second report changes nothing."""
        permit = data.draw(st.sampled_from(self.held))
        self.held.remove(permit)
        self.tell(permit, outcome)
        if again:
            before = self.board.snapshot(self.now)

            assert self.board.record(permit, outcome, self.now) == ()

            assert before == self.board.snapshot(self.now)

    def tell(self, permit: CircuitPermit, outcome: Failure | None) -> None:
        """Record, and check what may have opened by it."""
        self.hear(self.board.observe(self.now))
        moved = self.board.record(permit, outcome, self.now)
        self.hear(moved)
        opened = {transition.scope for transition in moved if transition.to_state is OPEN}
        if outcome is None or blame_of(outcome) is Blame.NOBODY:
            assert not opened
        elif blame_of(outcome) in (Blame.PROVIDER, Blame.CLIENT):
            assert not any(scope.startswith("institution:") for scope in opened)
        elif blame_of(outcome) is Blame.INSTITUTION:
            assert opened <= {f"institution:{permit.institution_id}"}
        assert "provider" not in opened or opened == {"provider"}

    @rule(control=st.sampled_from([*Control, Control.AUTO]))
    def force(self, control: Control) -> None:
        """The operator's switch reaches every circuit."""
        self.hear(self.board.force(control, self.now, "drill"))
        if control is Control.AUTO:
            assert repr(self.board) == "CircuitBoard(CLOSED)"
        else:
            assert {control.value} == {
                str(state) for state in self.told.values() if state != CLOSED
            }

    @invariant()
    def every_change_was_told(self) -> None:
        """The log alone gives the state of every circuit."""
        if not hasattr(self, "board"):
            return
        snapshot = self.board.snapshot(self.now)
        seen = {status.scope: status.state for status in (snapshot.provider, *snapshot.narrower)}
        told = {scope: state for scope, state in self.told.items() if state is not CLOSED}
        assert told == {scope: state for scope, state in seen.items() if state is not CLOSED}

    def teardown(self) -> None:
        """With every caller dead it recovers: waiting and succeeding closes all again."""
        if not hasattr(self, "board"):
            return
        self.now += OPTIONS.permit_lease_s
        if self.board.snapshot(self.now).cause is OpenCause.FORCED:
            self.hear(self.board.force(Control.AUTO, self.now, "over"))
        for operation in OPERATIONS:
            for institution_id in INSTITUTIONS:
                self.recover(operation, institution_id)
        self.hear(self.board.observe(self.now))
        assert self.board.snapshot(self.now).narrower == ()
        assert self.board.state is CLOSED

    def recover(self, operation: Operation, institution_id: str | None) -> None:
        """Callers that wait as told and succeed."""
        for _ in range(8):
            answer = self.board.admit(operation, institution_id, self.now)
            self.hear(answer.transitions)
            if isinstance(answer, CircuitPermit):
                self.hear(self.board.record(answer, None, self.now))
            elif answer.retry_after_s is None:
                self.hear(self.board.force(Control.AUTO, self.now, "new keys"))
            else:
                self.now += answer.retry_after_s
        assert self.board.blocks(operation, institution_id, self.now) is None


TestBoard = BoardMachine.TestCase
TestBoard.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
)
