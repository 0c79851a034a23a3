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
from collector.logs import log_to_stderr
from collector.pictures import PictureStore
from collector.settings import ENVIRONMENT, Settings
from collector.store import RecordStore
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.trust import TrustRoots


def make() -> Flask:
    """The application for the settings that the environment names. Raises Refused."""
    log_to_stderr()
    settings = Settings.load(Path(os.environ[ENVIRONMENT]))
    data = settings.path(settings.file.data)
    key = open_collector_key(data / "key", settings.file.name)
    trust = TrustRoots.load(settings.path(settings.file.trust))
    queue = open_queue(settings)
    store = RecordStore.open(data, settings.file.database, migrating=queue is None)
    intake = Intake(queue) if queue else None
    return create_app(store, trust, key, time.time, settings.callers(), keeper=open_pictures(settings), intake=intake)


def open_pictures(settings: Settings) -> PictureStore | None:
    """The store that `[pictures]` names; None: the collector's own folder. Raises CollectorRefused."""
    if settings.file.pictures is None:
        return None
    from collector.s3_pictures import S3Pictures  # obstore is there where such a store is configured

    return S3Pictures.open(settings.file.pictures, settings.folder)
