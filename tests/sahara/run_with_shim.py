"""Run Sahara's own ExecuteWithRetryTest, in Sahara's environment, with the shim's function in place of Sahara's.

The last line of the standard output is a JSON record of the tests that ran and of the tests that failed.
"""

import json
import sys
import unittest

import sahara_shim
from sahara.tests.unit.utils.openstack import test_base
from sahara.utils.openstack import base

base.execute_with_retries = sahara_shim.execute_with_retries

suite = unittest.defaultTestLoader.loadTestsFromTestCase(test_base.ExecuteWithRetryTest)
result = unittest.TextTestRunner().run(suite)
failed = sorted(test.id().rpartition(".")[2] for test, _ in result.failures + result.errors)
sys.stdout.write(json.dumps({"run": result.testsRun, "failed": failed, "skipped": len(result.skipped)}))
