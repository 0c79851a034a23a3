"""The collector's journal: one JSON object a line on standard error, with time and level."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr() -> None:
    """For the process. What is written for people in colours costs a tenth of what a record does."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
