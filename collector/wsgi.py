"""The application that gunicorn's workers load: `gunicorn -c python:collector.gunicorn_conf collector.wsgi:make()`.

A worker holds nothing that another one needs; SIGHUP makes new ones, which read settings and trust folder again. With a
queue a worker starts without the database, whose tables drain.py brings up to date.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask

from collector.app import create_app
from collector.intake import Intake, open_queue
from collector.settings import ENVIRONMENT, Settings
from collector.store import RecordStore
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.trust import TrustRoots


def make() -> Flask:
    """The application for the settings that the environment names. Raises Refused."""
    settings = Settings.load(Path(os.environ[ENVIRONMENT]))
    data = settings.path(settings.file.data)
    key = open_collector_key(data / "key", settings.file.name)
    trust = TrustRoots.load(settings.path(settings.file.trust))
    queue = open_queue(settings)
    store = RecordStore.open(data, settings.file.database, migrating=queue is None)
    return create_app(store, trust, key, time.time, settings.callers(), intake=Intake(queue) if queue else None)
