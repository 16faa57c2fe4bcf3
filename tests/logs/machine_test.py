"""Any sequence of changes to the store agrees with a plain model of it."""

from hypothesis import settings

from tests.soak.machine import StoreMachine

TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=15, stateful_step_count=8, deadline=None, derandomize=True)
