from oslo_config import cfg

import os_retries
from sahara import context, exceptions

os_retries.configure(cfg.CONF, sleep=lambda wait: context.sleep(seconds=wait))


def execute_with_retries(method, /, *args, **kwargs):
    try:
        return os_retries.execute_with_retries(method, *args, **kwargs)
    except Exception as error:
        if (end := getattr(error, "os_retries", None)) and end.reason is not os_retries.GiveUp.PERMANENT:
            raise exceptions.MaxRetriesExceeded(len(end.attempts) - 1, end.method) from error
        raise
