"""Peers that need a hand to be imported."""

from __future__ import annotations

import sys
from types import ModuleType
from unittest.mock import MagicMock

import pytest


@pytest.fixture(scope="session")
def piq() -> ModuleType:
    """It imports torchvision for networks that no test here uses: a stand-in will do.

    No extra can ask for it without torchvision, which breaks torchmetrics; ``make install`` can.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("torchvision", "torchvision.models"):
            patch.setitem(sys.modules, name, MagicMock())
        return pytest.importorskip("piq", reason="piq is not installed: 'make install' does it")
