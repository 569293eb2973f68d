"""A small course with a quiz, and a learner at a terminal, for the tests of the quiz."""

import os
import shutil
from pathlib import Path

import pexpect
from test_cli import COURSE, RLGRADE, rlgrade

HERE = Path(__file__).parent
PATIENCE = 60


def make_course(root):
    """The fixture course with the quiz of every kind, which belongs to its exercise."""
    shutil.copytree(COURSE, root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        HERE / "quizzes", root / "quizzes", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = root / "quizzes" / "kinds.yaml"
    path.write_text(path.read_text().replace("ex01_sums", "ex01_scale"))
    return root


def make_workspace(course, root):
    rlgrade("init", root, course=course)
    return root


class Candidate:
    """Someone at a real terminal who waits for a text and types a line."""

    def __init__(self, course, workspace, *arguments, **environment):
        self.child = pexpect.spawn(
            RLGRADE,
            ["--course", str(course), *arguments],
            cwd=str(workspace),
            encoding="utf-8",
            codec_errors="replace",
            timeout=PATIENCE,
            dimensions=(60, 100),
            env=os.environ
            | {"TERM": "dumb", "NO_COLOR": "1", "INPUTRC": "/dev/null"}
            | environment,
        )
        self.said = ""

    def sees(self, *texts):
        for text in texts:
            self.child.expect_exact(text)
            self.said += self.child.before + text

    def types(self, line):
        self.child.sendline(line)

    def answers(self, prompt, line):
        self.sees(prompt)
        self.types(line)

    def interrupts(self, text):
        """Press Ctrl-C until the text is there.

        Python loses an interrupt that comes between its last look and its wait for a line.
        """
        for _ in range(PATIENCE):
            self.child.sendintr()
            if self.child.expect_exact([text, pexpect.TIMEOUT], timeout=1) == 0:
                self.said += self.child.before + text
                return
        raise AssertionError(f"no {text!r} after {PATIENCE} interrupts: {self.child.before}")

    def has_left(self):
        """The exit code, at the end."""
        self.child.expect(pexpect.EOF)
        self.said += self.child.before
        self.child.close()
        return self.child.exitstatus
