"""`contract.py breaking` accepts only listed breaks of the contract."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = shutil.which("git") or "git"
BEFORE = """syntax = "proto3";
package shop.v1;
// An order.
message Order {
  // How many.
  uint32 number = 1;
  // What.
  string thing = 2;
}
"""
AFTER = BEFORE.replace("uint32", "int32")
WORSE = AFTER.replace("string thing", "bytes thing")
LISTED = (
    'FIELD_SAME_TYPE shop/v1/order.proto Field "1" with name "number" on message "Order" changed '
    'type from "uint32" to "int32".'
)


class Checkout:
    """A repository with a contract."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._proto = folder / "proto" / "shop" / "v1" / "order.proto"
        self._proto.parent.mkdir(parents=True)
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "contract.py", folder / ".ci")
        (folder / "buf.yaml").write_text("version: v2\nmodules: [{path: proto}]\n")
        self._git("init", "--quiet", "--initial-branch=main")

    def _git(self, *arguments: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        subprocess.run([GIT, *who, *arguments], cwd=self._folder, check=True)

    def edit(self, contract: str) -> None:
        self._proto.write_text(contract)

    def commit(self, contract: str) -> None:
        self.edit(contract)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "A change")

    def list_break(self) -> None:
        (self._folder / ".ci" / "breaks.txt").write_text(f"# Why.\n\nA change\n  {LISTED}\n")

    def breaking(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, ".ci/contract.py", "breaking"], cwd=self._folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    "main",
    [(BEFORE, BEFORE), (BEFORE, AFTER), (AFTER, AFTER)],
    ids=["before the break", "at the break", "after the break"],
)
def test_only_a_listed_break_passes(checkout: Checkout, main: tuple[str, ...]):
    for contract in main:
        checkout.commit(contract)
    checkout.edit(AFTER)
    unlisted = checkout.breaking()
    assert (unlisted.returncode == 0) is (main == (AFTER, AFTER))
    checkout.list_break()
    assert checkout.breaking().returncode == 0
    checkout.edit(WORSE)
    refused = checkout.breaking()
    assert refused.returncode == 1
    assert '"thing" on message "Order" changed type from "string" to "bytes"' in refused.stderr
    assert '"number"' not in refused.stderr


def test_a_contract_that_cannot_be_built_fails(checkout: Checkout):
    checkout.commit(BEFORE)
    checkout.edit("message {")
    assert checkout.breaking().returncode != 0
