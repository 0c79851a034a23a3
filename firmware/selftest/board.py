"""The board: its clock and the battery behind it, power, temperature, memory. Each check is pure but for the tree.

What the files say and mean is in the kernel's documentation of rtc, hwmon and thermal; those of the Raspberry Pi are
from its drivers rtc-rpi and raspberrypi-hwmon.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from firmware.selftest.finding import Outcome, bad, good, note
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.tree import Tree, Unknown
from firmware.signing.signer import ClockQuality

PROGRAM_YEAR = 2026
"""A clock that shows an earlier year has lost its time."""
RTC = "/sys/class/rtc/rtc0"
RTC_SLACK_SECONDS = 5
"""Between the clock of the system and the one with the battery: both tick in whole seconds and are read in turn."""
BATTERY_LEAST_UV = 2_500_000
"""Microvolts: a lithium cell of 3 V below this has little left, and a warehouse has no power for weeks."""
BATTERY_THERE_UV = 500_000
"""Microvolts: less is a socket without a cell."""
TEMPERATURE_MOST = 75_000
"""Millidegrees: a Pi slows down at 80 degrees; a kiosk that idles at five less has no air."""
TEMPERATURE_SANE = range(-40_000, 125_001)
"""Millidegrees in which the chip works at all; a sensor that says anything else is broken."""
MEMORY_LEAST_KB = 1_700_000
"""Of a board with 2 GB, what the firmware leaves to Linux; the units' limits add up to 1.6 GB."""
AVAILABLE_LEAST_KB = 400_000
"""Reading the pages of a contest takes up to 400 MB."""

_UNDER_VOLTAGE = 1 << 0 | 1 << 16
_SLOWED_DOWN = 1 << 1 | 1 << 2 | 1 << 17 | 1 << 18
"""Of get_throttled: now, and since the board was started."""
_KERNEL_SAID = "Undervoltage detected"


def board(kiosk: Kiosk) -> Outcome:
    """Which board this is."""
    model, serial = kiosk.tree.text("/proc/device-tree/model"), serial_of(kiosk.tree)
    return good(f"{model}, {serial}") if model and serial else bad("board-unknown")


def serial_of(tree: Tree) -> str | None:
    """The serial that is burnt into the board, as its firmware tells it."""
    return tree.text("/proc/device-tree/serial-number")


# --- clock ----------------------------------------------------------------------------------------------------------


def clock(kiosk: Kiosk) -> Outcome:
    """The time of day, and who set it: a time server, or the clock with the battery."""
    now = kiosk.clock()
    shown = datetime.fromtimestamp(now.unix, UTC)
    seen = f"{shown:%Y-%m-%d %H:%M}Z"
    if shown.year < PROGRAM_YEAR:
        return bad("clock-lost", seen)
    if now.quality is ClockQuality.SYNCHRONISED:
        return good(seen)
    kept = kiosk.tree.number(f"{RTC}/since_epoch")
    if kept is not None and abs(kept - now.unix) <= RTC_SLACK_SECONDS:
        return note("clock-from-battery", seen)
    return bad("clock-not-set", seen)


def battery(kiosk: Kiosk) -> Outcome:
    """The clock that goes on without power, and its battery."""
    tree, now = kiosk.tree, kiosk.clock().unix
    if tree.text(f"{RTC}/name") is None:
        return note("rtc-none")
    try:
        kept = tree.number(f"{RTC}/since_epoch")
    except Unknown:  # the drivers answer with an error when the oscillator has stood still
        return bad("rtc-lost")
    if kept is None or datetime.fromtimestamp(kept, UTC).year < PROGRAM_YEAR:
        return bad("rtc-lost")
    if abs(kept - now) > RTC_SLACK_SECONDS:
        return bad("rtc-other-time", seconds=abs(kept - now))
    voltage = tree.number(f"{RTC}/battery_voltage")
    if voltage is None:
        return note("rtc-battery-untold")
    seen = f"{voltage / 1_000_000:.2f} V"
    if voltage < BATTERY_THERE_UV:
        return bad("rtc-battery-none", seen)
    return good(seen) if voltage >= BATTERY_LEAST_UV else bad("rtc-battery-low", seen, volts=f"{voltage / 1e6:.2f}")


# --- power, temperature, memory -------------------------------------------------------------------------------------


def power(kiosk: Kiosk) -> Outcome:
    """Whether the supply holds, now and since the board was started. Looked at last: printing and reading load it."""
    alarm, throttled = _voltage_alarm(kiosk.tree), _throttled(kiosk.tree)
    if alarm is None and throttled is None:
        return bad("power-unknown")
    drops = kiosk.tool(("journalctl", "--dmesg", "--boot", "--quiet", "--output=cat")).count(_KERNEL_SAID)
    if alarm or drops or (throttled or 0) & _UNDER_VOLTAGE:
        return bad("power-low", f"{drops} x", times=max(drops, 1))  # one that lasts may not be in the log yet
    if (throttled or 0) & _SLOWED_DOWN:
        return bad("power-slowed", f"0x{throttled:x}")
    return good("5 V")


def _voltage_alarm(tree: Tree) -> bool | None:
    for entry in tree.entries("/sys/class/hwmon"):
        if tree.text(f"{entry}/name") == "rpi_volt":
            alarm = tree.number(f"{entry}/in0_lcrit_alarm")
            if alarm not in (0, 1):
                raise Unknown(f"{entry}/in0_lcrit_alarm")
            return alarm == 1
    return None


def _throttled(tree: Tree) -> int | None:
    """The bits of the Pi's firmware; kernels that are not the Pi's own do not have them."""
    name = "/sys/devices/platform/soc/soc:firmware/get_throttled"
    found = tree.text(name)
    if found is None:
        return None
    if not re.fullmatch(r"[0-9a-f]{1,8}", found):
        raise Unknown(f"{name}: {found[:40]!r}")
    return int(found, 16)


def temperature(kiosk: Kiosk) -> Outcome:
    """The chip's."""
    tree = kiosk.tree
    zones = [zone for zone in tree.entries("/sys/class/thermal") if tree.text(f"{zone}/type") == "cpu-thermal"]
    found = tree.number(f"{zones[0]}/temp") if zones else None
    if found is None:
        return bad("temperature-unknown")
    if found not in TEMPERATURE_SANE:
        raise Unknown(f"{zones[0]}/temp: {found}")
    degrees = found / 1000
    return good(f"{degrees:.0f} °C") if found <= TEMPERATURE_MOST else bad("temperature-high", degrees=f"{degrees:.0f}")


def memory(kiosk: Kiosk) -> Outcome:
    """What the board has, and what is left."""
    lines = (kiosk.tree.text("/proc/meminfo") or "").splitlines()
    found = {name: size.split() for name, _, size in (line.partition(":") for line in lines)}
    try:
        total, available = (_kilobytes(found[name]) for name in ("MemTotal", "MemAvailable"))
    except KeyError as problem:
        raise Unknown("/proc/meminfo") from problem
    seen = f"{available / 1e6:.1f} / {total / 1e6:.1f} GB"
    if total < MEMORY_LEAST_KB:
        return bad("memory-small", seen)
    return good(seen) if available >= AVAILABLE_LEAST_KB else bad("memory-full", seen)


def _kilobytes(words: list[str]) -> int:
    match words:
        case [number, "kB"] if number.isdecimal():
            return int(number)
    raise Unknown("/proc/meminfo")
