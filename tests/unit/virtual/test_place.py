"""Where a rig is served."""

import signal
import socket
import subprocess
import sys

import pytest

from genlock.errors import BackendError
from genlock.virtual import administer, private_address, served_address, shared_address


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


def test_the_address_follows_from_the_rig_file(tmp_path):
    rig = tmp_path / "rig.toml"
    assert served_address(rig) == served_address(tmp_path / "x" / ".." / "rig.toml")
    assert served_address(rig) != served_address(tmp_path / "other.toml")
    with shared_address(rig) as address:
        assert address == served_address(rig)
        assert len(str(address.name)) < 40, "the path of a socket has 108 characters at most"
        assert address.parent.stat().st_mode & 0o077 == 0, "nobody else's business"


def test_one_rig_file_is_served_once(tmp_path):
    rig = tmp_path / "rig.toml"
    with shared_address(rig), pytest.raises(BackendError, match="served already"), shared_address(rig):
        pass
    with shared_address(rig):
        pass


def test_a_killed_server_s_socket_is_no_obstacle(tmp_path):
    rig = tmp_path / "rig.toml"
    code = (
        "import socket, sys, time\nfrom pathlib import Path\nfrom genlock.virtual import shared_address\n"
        f"with shared_address(Path({str(rig)!r})) as address:\n"
        "    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n    server.bind(str(address))\n"
        "    print('bound', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"bound\n"
        server.send_signal(signal.SIGKILL)
    assert served_address(rig).exists()
    with pytest.raises(BackendError, match="nobody serves"):
        administer(rig, {})
    with shared_address(rig) as address:
        assert not address.exists()


def test_nothing_is_left_behind_and_what_the_killed_left_is_swept_up(tmp_path):
    with private_address() as mine, private_address() as other, shared_address(tmp_path / "rig.toml") as shared:
        assert len({mine, other, shared}) == 3
        for address in (mine, other, shared):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
                server.bind(str(address))  # and nobody listens: as after a kill
    folder = mine.parent
    assert list(folder.iterdir()) == []
    (folder / "0123.lock").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(folder / "dead"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as living:
        living.bind(str(folder / "living"))
        living.listen()
        with private_address():
            assert [path.name for path in folder.iterdir()] == ["living"]


def test_a_folder_with_a_long_name_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    with private_address() as address:
        assert address.parent.parent == tmp_path / "t"
