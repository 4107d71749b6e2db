"""What every kind of terminal promises about words between a person and a program."""

from __future__ import annotations

import asyncio

from orch.model.question import Answer, Question
from tests.contract.terminals_contract import LONG_S, Hands, Part, TerminalsContract


class TalkContract(TerminalsContract):
    """Subclass as `TestX` and give a `hands` fixture."""

    def test_a_message_is_delivered_only_when_the_program_says_that_it_took_it(
        self, hands: Hands
    ) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S, listens=True), io="tty")
        asked: list[str] = []

        def never(written: bytes, message: str) -> bool:
            asked.append(message)
            return False

        directory = hands.directory("a1")
        send = hands.terminals.send
        self.undelivered(send("orch-a1", directory, "one", key="k1", took=never), "unknown")
        assert set(asked) == {"one"}
        delivery = send("orch-a1", directory, "two", key="k2", took=lambda written, message: True)
        assert delivery.delivered, delivery
        assert not send("orch-a1", directory, "one", key="k1").delivered  # it was said, once

    # --- questions

    def test_a_question_waits_until_it_is_answered_and_is_answered_once(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        directory, terminals = hands.directory("a1"), hands.terminals
        assert list(terminals.questions(directory)) == []
        later = Question(id="00000001", text="Later?", asked_at=2.0)
        sooner = Question(id="0000000f", text="Sooner?", asked_at=1.0, tool="Bash")
        hands.ask("a1", later)
        hands.ask("a1", sooner)
        assert list(terminals.questions(directory)) == [sooner, later]
        yes = Answer(decision="approve", text="go on", by="me", at=3.0)
        assert terminals.answer(directory, sooner.id, yes)
        assert not terminals.answer(directory, sooner.id, Answer(decision="deny", at=4.0))
        assert list(hands.reopened().questions(directory)) == [later]

    def test_whoever_waits_for_questions_is_told(self, hands: Hands) -> None:
        self.start(hands, "a1", Part(seconds=LONG_S))
        directory, known = hands.directory("a1"), set[str]()

        async def scenario() -> None:
            for number in range(3):
                question = Question(id=f"0000000{number}", asked_at=float(number))
                waiting = asyncio.ensure_future(hands.terminals.asks(directory, known))
                await asyncio.sleep(0.01)
                assert not waiting.done()
                hands.ask("a1", question)
                await asyncio.wait_for(waiting, 20)
                known.add(question.id)

        hands.run(scenario())

    def test_nothing_is_asked_where_nothing_was_started(self, hands: Hands) -> None:
        directory = hands.directory("a1")
        assert list(hands.terminals.questions(directory)) == []
        assert not hands.terminals.answer(directory, "../../x", Answer(decision="approve"))
