"""Two real cameras keep the device contract, and a short take of them verifies.

They run with ``pytest tests/hardware --k4a-serials=MASTER,SUBORDINATE``; without serials they skip and say so.
"""

from pathlib import Path

import pytest

from genlock.devices import Backend, open_backend
from genlock.plan import make_plan
from genlock.rig import Rig
from genlock.testing.device_contract import DeviceContract
from genlock.verify import Verdict
from genlock.workflows.record import record_take
from genlock.workflows.verify import verify_session

pytestmark = pytest.mark.device


class TestRealCameras(DeviceContract):
    @pytest.fixture(autouse=True)
    def _serials(self, pytestconfig: pytest.Config) -> None:
        serials = str(pytestconfig.getoption("--k4a-serials")).split(",")
        if len(serials) != 2:
            pytest.skip("no cameras named: pytest tests/hardware --k4a-serials=MASTER,SUBORDINATE")
        self.master, self.subordinate = serials

    def make_backend(self, rig: Rig) -> Backend:
        return open_backend("native", rig)

    def test_a_take_is_in_sync(self, rig: Rig, tmp_path: Path):
        """Five seconds, judged as any take is."""
        with open_backend("native", rig) as backend:
            record_take(make_plan(rig), backend, tmp_path / "take", rig_toml="", seconds=5)
        report = verify_session(tmp_path / "take")
        assert report.verdict in (Verdict.GOOD, Verdict.PASS), report.reason
