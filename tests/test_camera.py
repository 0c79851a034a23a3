"""A camera that hangs, crashes, lies or comes loose, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from firmware.capture.camera import PREVIEW_SIDE, Camera, CameraFault, Preview, sentence
from firmware.capture.camera_child import Patience
from firmware.capture.camera_process import STALE_SECONDS, ProcessCamera
from firmware.capture.picture import glance
from firmware.capture.shots import judge
from firmware.messages import both
from firmware.records import Frame, RefusedPage
from tests.camera_contract import CameraContract, first_preview
from tests.simulators.camera import Desk, SimulatedCamera, Trouble, command, patchwork

EXPOSURE = 0.05
"""Seconds: the simulator's time for a picture."""
QUICK = Patience(silence=1.0, rest=0.2)
"""The faults are the same, and the tests are over sooner."""
SOON_SECONDS = 10.0
"""What has to happen without anybody waiting for it has happened by then, however busy the machine is."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.lay_out(tmp_path / "desk", [(f"{number}.jpg", patchwork(number)) for number in (1, 2)])


@pytest.fixture
def kiosk(desk: Desk) -> Iterator[ProcessCamera]:
    """The camera as the kiosk has it."""
    camera = ProcessCamera(command(desk, EXPOSURE), QUICK)
    yield camera
    camera.close()


class TestSimulator(CameraContract):
    """In the same process."""

    @pytest.fixture
    def camera(self, desk: Desk) -> Camera:
        return SimulatedCamera(desk, EXPOSURE)


class TestSimulatorInItsProcess(CameraContract):
    """As in the demo."""

    @pytest.fixture
    def camera(self, kiosk: ProcessCamera) -> Camera:
        return kiosk


def frames(camera: Camera) -> tuple[Frame, ...]:
    """A press that brings pictures."""
    shots = camera.capture()
    assert not isinstance(shots, CameraFault), shots
    return shots


def soon(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + SOON_SECONDS
    while not (yes := happened()) and time.monotonic() < until:
        time.sleep(0.01)
    return yes


def runs(process: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# --- what goes wrong in the room


@pytest.mark.parametrize(
    ("trouble", "fault"),
    [(Trouble.HANG, CameraFault.HUNG), (Trouble.EXIT, CameraFault.CRASHED), (Trouble.SEGFAULT, CameraFault.CRASHED)],
)
def test_the_ribbon_comes_loose_during_a_picture(
    kiosk: ProcessCamera, desk: Desk, trouble: Trouble, fault: CameraFault
) -> None:
    first_preview(kiosk)
    before = kiosk.pid
    desk.trouble(trouble)
    assert kiosk.capture() is fault
    assert before is not None
    assert not runs(before)
    assert kiosk.pid != before
    assert frames(kiosk)[0].data == (desk.folder / desk.under_camera()).read_bytes()


def test_the_camera_hangs_while_nobody_presses(kiosk: ProcessCamera, desk: Desk) -> None:
    shown = first_preview(kiosk)
    desk.trouble(Trouble.HANG_IN_PREVIEW)
    late = []
    while (preview := kiosk.preview()) is not CameraFault.HUNG:
        late.append(preview)
    assert all(isinstance(entry, Preview) and entry.number == shown.number for entry in late)
    assert first_preview(kiosk).number > shown.number


def test_a_press_comes_while_a_preview_hangs(kiosk: ProcessCamera, desk: Desk) -> None:
    first_preview(kiosk)
    desk.trouble(Trouble.HANG_IN_PREVIEW)
    kiosk.preview()
    assert kiosk.capture() is CameraFault.HUNG
    assert frames(kiosk)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_the_camera_process_is_struck_while_nobody_asks(kiosk: ProcessCamera, blow: signal.Signals) -> None:
    first_preview(kiosk)
    assert kiosk.pid is not None
    before = kiosk.pid
    os.kill(before, blow)
    if blow is signal.SIGSTOP:
        assert kiosk.capture() is CameraFault.HUNG
    else:
        os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert frames(kiosk)


def test_the_camera_process_is_killed_during_a_picture(desk: Desk) -> None:
    camera = ProcessCamera(command(desk, 0.5), QUICK)
    try:
        first_preview(camera)
        assert camera.pid is not None
        threading.Timer(0.2, os.kill, (camera.pid, signal.SIGKILL)).start()
        assert camera.capture() is CameraFault.CRASHED
        assert frames(camera)
    finally:
        camera.close()


@pytest.mark.parametrize(
    ("trouble", "fault"),
    [
        (Trouble.GARBAGE, CameraFault.GARBAGE),
        (Trouble.BLACK, CameraFault.BLACK),
        (Trouble.UNPLUGGED, CameraFault.GONE),
    ],
)
def test_what_a_person_can_mend_needs_no_new_process(
    kiosk: ProcessCamera, desk: Desk, trouble: Trouble, fault: CameraFault
) -> None:
    first_preview(kiosk)
    before = kiosk.pid
    desk.trouble(trouble)
    assert kiosk.capture() is fault
    desk.mend()
    assert frames(kiosk)
    assert kiosk.pid == before


def test_the_camera_is_unplugged_while_it_shows(kiosk: ProcessCamera, desk: Desk) -> None:
    first_preview(kiosk)
    desk.trouble(Trouble.UNPLUGGED)
    assert soon(lambda: kiosk.preview() is CameraFault.GONE)
    desk.mend()
    assert isinstance(kiosk.preview(), Preview)


def test_a_slow_camera_gives_signs_of_life(desk: Desk) -> None:
    camera = ProcessCamera(command(desk, 0.12), QUICK)
    try:
        desk.trouble(Trouble.SLOW)
        assert frames(camera)
    finally:
        camera.close()


def test_a_camera_gives_signs_of_life_and_no_picture(desk: Desk) -> None:
    camera = ProcessCamera(command(desk, 0.25), Patience(silence=1.0, capture=2.0))
    try:
        desk.trouble(Trouble.SLOW)
        assert camera.capture() is CameraFault.TIMEOUT
        assert frames(camera)
    finally:
        camera.close()


def test_the_screen_wants_a_preview_during_a_capture(desk: Desk) -> None:
    camera = ProcessCamera(command(desk, 0.1), Patience(silence=5.0, preview=0.05))
    try:
        shown = first_preview(camera)
        desk.trouble(Trouble.SLOW)
        press = threading.Thread(target=camera.capture)
        press.start()
        assert soon(lambda: desk.troubled(Trouble.SLOW, once=False) is None)
        assert camera.preview() is shown
        assert press.is_alive()
        press.join()
    finally:
        camera.close()


def test_the_screen_comes_back_after_a_while(desk: Desk) -> None:
    """A preview that was asked for long ago is not what lies there now."""
    camera = ProcessCamera(command(desk, 0), Patience(preview=0.0))
    try:
        before = first_preview(camera)
        camera.preview()
        time.sleep(STALE_SECONDS * 1.2)
        desk.put("02-2.jpg")
        while (shown := first_preview(camera)).number == before.number:
            time.sleep(0.01)
        wanted = glance(Frame(patchwork(2), "", ""), PREVIEW_SIDE)
        assert np.array_equal(shown.bgr, np.asarray(wanted))
    finally:
        camera.close()


def test_an_unsteady_hand(desk: Desk) -> None:
    shots = SimulatedCamera(desk, 0, steady=False).capture()
    assert not isinstance(shots, CameraFault)
    sheet_itself = (desk.folder / desk.under_camera()).read_bytes()
    assert [shot.data == sheet_itself for shot in shots] == [False, True, False]


def test_one_frame_of_a_burst_is_damaged() -> None:
    whole, half = patchwork(1), patchwork(2)[:5000]
    shots = judge([Frame(half, "", "a"), Frame(whole, "", "b")])
    assert not isinstance(shots, CameraFault)
    assert [shot.name for shot in shots] == ["b"]


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [
        (640, 480, (480, 640)),
        (960, 1280, (960, 720)),
        (1921, 1081, (540, 960)),
        (3840, 2160, (540, 960)),
        (4056, 3040, (720, 960)),
    ],
)
def test_a_photograph_of_any_size_is_shown_small(width: int, height: int, wanted: tuple[int, int]) -> None:
    small = glance(Frame(patchwork(1, width, height), "", ""), PREVIEW_SIDE)
    assert not isinstance(small, RefusedPage)
    assert small.shape == (*wanted, 3)


@pytest.mark.parametrize("fault", list(CameraFault))
def test_a_fault_comes_twice_in_a_row(fault: CameraFault) -> None:
    first, second = both(sentence(fault, 1)), both(sentence(fault, 2))
    assert "kabel" in second
    assert first != second
    assert both(sentence(fault, 3)) == second


# --- a camera process that is not what it should be

SAYS = """
import socket, sys, time
link = socket.socket(fileno=int(sys.argv[-2]))
link.send(b'{"type":"Ready"}')
link.recv(65536)
link.send(%r)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "words",
    [
        b"no message",
        b'{"type":"Taken","number":1,"shots":[{"at":-5,"length":100,"name":"x","facts":{}}]}',
        b'{"type":"Taken","number":1,"shots":[{"at":0,"length":1000000000000,"name":"x","facts":{}}]}',
        b'{"type":"Taken","number":1,"shots":[]}',
        b'{"type":"Shown","number":1,"height":9,"width":9}',
        b'{"type":"Failed","number":1,"fault":"broken"}',
    ],
)
def test_the_camera_process_talks_nonsense(words: bytes) -> None:
    camera = ProcessCamera([sys.executable, "-c", SAYS % words], QUICK)
    try:
        assert camera.capture() is CameraFault.CRASHED
    finally:
        camera.close()


def test_a_preview_larger_than_its_room() -> None:
    words = b'{"type":"Shown","number":1,"height":90000,"width":90000}'
    camera = ProcessCamera([sys.executable, "-c", SAYS % words], QUICK)
    try:
        assert soon(lambda: camera.preview() is CameraFault.CRASHED)
    finally:
        camera.close()


LOADS = """
import importlib, sys, time, types
from firmware.capture import camera_start
seconds, sys.argv = float(sys.argv[1]), sys.argv[2:]

def load(name):
    time.sleep(seconds)
    importlib.import_module(name)

camera_start.importlib = types.SimpleNamespace(import_module=load)
camera_start.main()
"""


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (["/nowhere/camera"], CameraFault.CRASHED),
        ([sys.executable, "-c", "raise SystemExit(1)"], CameraFault.CRASHED),
        ([sys.executable, "-c", "import time; time.sleep(60)"], CameraFault.HUNG),
        ([sys.executable, "-c", LOADS, "60", "camera_start", "driver"], CameraFault.HUNG),
    ],
)
def test_the_camera_process_does_not_start(program: Sequence[str], fault: CameraFault) -> None:
    camera = ProcessCamera(program, Patience(loading=0.5))
    try:
        assert camera.capture() is fault
    finally:
        camera.close()


def test_the_libraries_come_from_a_slow_card(desk: Desk) -> None:
    """Together they take longer than the kiosk waits for a sign of life."""
    camera = ProcessCamera([sys.executable, "-c", LOADS, "0.8", *command(desk, EXPOSURE)[2:]])
    try:
        assert frames(camera)
    finally:
        camera.close()


def test_a_driver_that_cannot_work_is_not_started_over_and_over() -> None:
    camera = ProcessCamera([sys.executable, "-c", "raise SystemExit(1)"], Patience(rest=60))
    try:
        assert camera.capture() is CameraFault.CRASHED
        second = camera.pid
        assert [camera.preview() for _ in range(5)] == [CameraFault.TIMEOUT] * 5
        assert camera.pid == second
        assert camera.capture() is CameraFault.CRASHED
        assert camera.pid != second
    finally:
        camera.close()


# --- what is left behind


def descriptors() -> set[str]:
    return {f"{entry.name} {entry.readlink()}" for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def children() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text(encoding="utf-8").split()}


def shared_memory() -> set[str]:
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in mapped if "c1kiosk-camera" in line} | {
        path.name for path in Path("/dev/shm").iterdir()
    }


def test_a_day_of_faults_leaves_nothing_behind(desk: Desk) -> None:
    before = descriptors(), children(), shared_memory()
    camera = ProcessCamera(command(desk, 0.01), QUICK)
    for trouble in (Trouble.EXIT, Trouble.SEGFAULT, Trouble.GARBAGE, Trouble.HANG):
        desk.trouble(trouble)
        assert isinstance(camera.capture(), CameraFault)
    camera.close()
    assert ProcessCamera(["/nowhere/camera"]).capture() is CameraFault.CRASHED
    assert (descriptors(), children(), shared_memory()) == before


def test_the_kiosk_is_told_to_stop_during_a_picture(desk: Desk) -> None:
    camera = ProcessCamera(command(desk, 0.2), Patience())
    first_preview(camera)
    pid = camera.pid
    desk.trouble(Trouble.HANG)
    answers: list[object] = []
    press = threading.Thread(target=lambda: answers.append(camera.capture()))
    press.start()
    assert soon(lambda: desk.troubled(Trouble.HANG, once=False) is None)
    camera.close()
    press.join()
    assert answers == [CameraFault.GONE]
    assert pid is not None
    assert not runs(pid)


KIOSK = """
import sys
from firmware.capture.camera_process import ProcessCamera
camera = ProcessCamera(sys.argv[1:])
camera.capture()
print(camera.pid, flush=True)
input()
camera.capture()
"""


def test_the_kiosk_is_killed_while_its_camera_hangs(desk: Desk) -> None:
    """The camera's process, which hangs in C, must not keep the device from the next kiosk."""
    words = [sys.executable, "-c", KIOSK, *command(desk, EXPOSURE)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kiosk:
        assert kiosk.stdout is not None
        assert kiosk.stdin is not None
        pid = int(kiosk.stdout.readline())
        desk.trouble(Trouble.HANG)
        print(file=kiosk.stdin, flush=True)
        assert soon(lambda: desk.troubled(Trouble.HANG, once=False) is None)
        assert runs(pid)
        kiosk.kill()
    assert soon(lambda: not runs(pid))
