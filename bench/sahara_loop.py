# Copyright (c) 2013 Mirantis Inc.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#    http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or
# implied.
# See the License for the specific language governing permissions and
# limitations under the License.
# ruff: noqa: G001, N818, PLW0120, TRY201, UP032  (this is Sahara's own style)
"""Sahara 19.0.0's execute_with_retries (sahara/utils/openstack/base.py), for comparison with ours.

The function is Sahara's, unchanged except for the type hints. Its imports from Sahara are replaced by equivalents:
``context.sleep`` by ``time.sleep``, oslo.log's adapter by a logger, and MaxRetriesExceeded by a plain exception. The
options are registered with oslo.config as in Sahara.
"""

import logging
import time
from typing import Any

from oslo_config import cfg

LOG = logging.getLogger(__name__)

# List of the errors, that can be retried
ERRORS_TO_RETRY = [408, 413, 429, 500, 502, 503, 504]

opts = [
    cfg.IntOpt("retries_number", default=5, help="Number of times to retry the request to client before failing"),
    cfg.IntOpt("retry_after", default=10, help="Time between the retries to client (in seconds)."),
]

retries = cfg.OptGroup(name="retries", title="OpenStack clients calls retries")

CONF = cfg.ConfigOpts()
CONF.register_group(retries)
CONF.register_opts(opts, group=retries)
CONF([])


class MaxRetriesExceeded(Exception):
    pass


def execute_with_retries(method: Any, *args: Any, **kwargs: Any) -> Any:
    attempts = CONF.retries.retries_number + 1
    while attempts > 0:
        try:
            return method(*args, **kwargs)
        except Exception as e:
            error_code = getattr(e, "http_status", None) or getattr(e, "status_code", None) or getattr(e, "code", None)
            if error_code in ERRORS_TO_RETRY:
                LOG.warning(
                    'Occasional error occurred during "{method}" '
                    "execution: {error_msg} ({error_code}). "
                    "Operation will be retried.".format(method=method.__name__, error_msg=e, error_code=error_code)
                )
                attempts -= 1
                retry_after = getattr(e, "retry_after", 0)
                time.sleep(max(retry_after, CONF.retries.retry_after))
            else:
                LOG.debug(
                    'Permanent error occurred during "{method}" execution: {error_msg}.'.format(
                        method=method.__name__, error_msg=e
                    )
                )
                raise e
    else:
        attempts = CONF.retries.retries_number
        raise MaxRetriesExceeded(attempts, method.__name__)
