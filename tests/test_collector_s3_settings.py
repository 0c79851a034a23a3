"""What a collector is told of its picture store, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.s3_pictures import S3Pictures
from collector.settings import PicturesSettings, Settings
from collector.submission import CollectorRefused
from collector.wsgi import open_pictures

FILE = """
data = "data"
trust = "trust"
name = "kota-contoh"
address = "unix:/run/http"
[callers]
client_ca = "ca.pem"
[pictures]
endpoint = "{endpoint}"
bucket = "{bucket}"
region = "r"
key = "k"
secret = "{secret}"
"""


def load(folder: Path, endpoint: str = "http://127.0.0.1:9", bucket: str = "c1", secret: str = "s3.secret") -> Settings:
    path = folder / "collector.toml"
    path.write_text(FILE.format(endpoint=endpoint, bucket=bucket * 2, secret=secret))
    return Settings.load(path)


@pytest.mark.parametrize("endpoint", ["http://s3.example.id", "ftp://127.0.0.1", "s3.example.id", ""])
def test_pictures_would_travel_without_tls(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(CollectorRefused, match="collector-settings"):
        load(tmp_path, endpoint)


def test_a_bucket_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(CollectorRefused, match="collector-settings"):
        load(tmp_path, bucket="Bucket/../")


def test_the_secret_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CollectorRefused, match=r"collector-pictures.*s3\.secret"):
        open_pictures(load(tmp_path))


def test_nobody_answers_for_the_store(tmp_path: Path) -> None:
    (tmp_path / "s3.secret").write_text("secret\n")
    with pytest.raises(CollectorRefused, match="collector-pictures"):
        open_pictures(load(tmp_path))
    with pytest.raises(CollectorRefused, match="collector-pictures"):
        S3Pictures.open(PicturesSettings("https://127.0.0.1:9", "c1c1", "r", "k", "s3.secret"), tmp_path)


def test_pictures_stay_here_when_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "collector.toml"
    path.write_text(FILE.partition("[pictures]")[0])
    assert open_pictures(Settings.load(path)) is None
