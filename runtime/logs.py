"""Structured logs: constant event names in snake_case, values as fields, one line each to standard error."""

import logging
import sys

import structlog

from runtime.settings import LogSettings

Logger = structlog.stdlib.BoundLogger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(settings: LogSettings, service: str) -> None:
    """Send our logs, and those of the libraries, to standard error in one shape."""
    as_text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if as_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[settings.level])
    structlog.contextvars.bind_contextvars(service=service)


def keep_logs_off_output() -> None:
    """Send logs to standard error as text, as standard output is a command's answer; services `configure_logs`."""
    structlog.configure(logger_factory=_to_standard_error, cache_logger_on_first_use=False)


def _to_standard_error(*_: object) -> structlog.PrintLogger:
    # Looked up for each line: who runs a command in a process may have replaced the stream since, and closed it.
    return structlog.PrintLogger(sys.stderr)


def get_logger() -> Logger:
    """Return a logger; bind fields with `.bind(...)`."""
    logger: Logger = structlog.get_logger()
    return logger
