"""``[timeouts]``: real oslo.config objects, real files, and the policy that they describe."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from cinderclient.exceptions import ClientException
from cinderclient.v3.volumes import VolumeManager
from oslo_config import cfg
from oslo_config import fixture as config_fixture

import os_retries
from os_retries import policy
from os_retries.config import list_opts
from os_retries.core import hooks
from os_retries.core.failure import RETRY_CODES
from os_retries.policy import RetryPolicy, policy_for
from os_retries.service_types import SERVICE_TYPES

from .conftest import HttpError, Scripted

SCRIPTS = Path(sys.executable).parent


class Files:
    """An application's oslo.config object, and the file that it reads."""

    def __init__(self, path):
        self.path = path
        self.conf = cfg.ConfigOpts()

    def write(self, text):
        self.path.write_text(text)

    def read(self, text=""):
        self.write(text)
        self.conf(["--config-file", str(self.path)])
        return self.conf

    def mutate(self, text):
        self.write(text)
        self.conf.mutate_config_files()


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # oslo.config looks for files of its own in some places: none is here
    return Files(tmp_path / "service.conf")


@pytest.fixture
def saharas():
    """Sahara's own registration, to the letter (sahara 19.0.0, utils/openstack/base.py)."""

    def register(conf):
        group = cfg.OptGroup(name="retries", title="OpenStack clients calls retries")
        conf.register_group(group)
        conf.register_opts(
            [cfg.IntOpt("retries_number", default=5), cfg.IntOpt("retry_after", default=10)], group=group
        )

    return register


def attempts_and_waits(recorded, status=503):
    """What a call does that never succeeds: its number of attempts and its waits."""
    recorded.retries.clear()
    method = Scripted(HttpError(status))
    with pytest.raises(HttpError):
        os_retries.execute_with_retries(method)
    return len(method.calls), recorded.waits


# Where values come from


def test_without_a_file_the_specification_s_numbers_hold(files):
    os_retries.configure(files.conf)
    files.conf([])
    assert policy_for(None) == RetryPolicy()
    assert (policy_for(None).retries_number, policy_for(None).retry_after) == (5, 10)
    assert policy_for(None).retry_codes == RETRY_CODES


def test_every_option_is_read_from_the_file(files):
    os_retries.configure(
        files.read(
            "[timeouts]\nretries_number = 2\nretry_after = 1.5\nretry_codes = 500, 409\nretry_backoff = 2\n"
            "retry_jitter = 0.25\nretry_max_wait = 60\nattempt_timeout = 30\nsafe_creates = false\n"
            "settle_time = 3\nsettle_time_after_timeout = 9.5\nreap_late_duplicates = true\n"
        )
    )
    assert policy_for(None) == RetryPolicy(
        retries_number=2,
        retry_after=1.5,
        retry_codes={500, 409},
        retry_backoff=2,
        retry_jitter=0.25,
        retry_max_wait=60,
        attempt_timeout=30,
        safe_creates=False,
        settle_time=3,
        settle_time_after_timeout=9.5,
        reap_late_duplicates=True,
    )


def test_calls_obey_the_file(files, recorded):
    os_retries.configure(files.read("[timeouts]\nretries_number = 2\nretry_after = 3\nretry_codes = 409\n"))
    assert attempts_and_waits(recorded, 409) == (3, [3.0, 3.0])
    assert attempts_and_waits(recorded, 503) == (1, [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_it_is_the_same_whether_the_files_are_read_before_or_after_configure(files, when):
    if when == "before":
        os_retries.configure(files.conf)
    files.read("[timeouts]\nretries_number = 2\n[timeouts_network]\nretries_number = 3\n")
    if when == "after":
        os_retries.configure(files.conf)
    assert (policy_for(None).retries_number, policy_for("network").retries_number) == (2, 3)


def test_a_service_s_group_overrides_single_options_and_the_others_are_inherited(files):
    os_retries.configure(
        files.read("[timeouts]\nretries_number = 2\nretry_after = 3\n[timeouts_block_storage]\nretries_number = 8\n")
    )
    volumes, servers = policy_for("block-storage"), policy_for("compute")
    assert (volumes.retries_number, volumes.retry_after) == (8, 3)
    assert (servers.retries_number, servers.retry_after) == (2, 3)


@pytest.mark.parametrize("service", sorted(SERVICE_TYPES.values()))
def test_every_service_has_its_group(files, service):
    group = f"timeouts_{service.replace('-', '_')}"
    os_retries.configure(files.read(f"[{group}]\nretries_number = 7\nretry_codes = 500\n"))
    assert policy_for(service) == RetryPolicy(retries_number=7, retry_codes={500})
    assert policy_for(None) == RetryPolicy()


def test_a_service_that_has_no_client_here_has_a_group_too(files):
    """Of an attached session's requests some go to other services."""
    os_retries.configure(files.read("[timeouts_placement]\nretries_number = 7\n"))
    assert policy_for("placement").retries_number == 7


def test_a_client_s_call_obeys_the_group_of_its_service(files, recorded):
    volumes = VolumeManager(Scripted())
    volumes._list = Scripted(ClientException(503))  # what sends the request
    os_retries.configure(files.read("[timeouts_block_storage]\nretries_number = 1\nretry_after = 2\n"))
    with pytest.raises(ClientException):
        os_retries.execute_with_retries(volumes.list)
    assert recorded.waits == [2.0]


def test_another_group_can_be_named(files):
    os_retries.configure(
        files.read("[retrying]\nretries_number = 2\n[retrying_compute]\nretries_number = 3\n"), "retrying"
    )
    assert (policy_for(None).retries_number, policy_for("compute").retries_number) == (2, 3)


def test_the_environment_is_read(files, monkeypatch):
    monkeypatch.setenv("OS_TIMEOUTS__RETRIES_NUMBER", "8")
    monkeypatch.setenv("OS_TIMEOUTS__RETRY_CODES", "500,409")
    monkeypatch.setenv("OS_TIMEOUTS_BLOCK_STORAGE__RETRIES_NUMBER", "9")
    os_retries.configure(files.read("[timeouts]\nretries_number = 2\n"))
    assert policy_for(None) == RetryPolicy(retries_number=8, retry_codes={500, 409})
    assert policy_for("block-storage").retries_number == 9


def test_the_second_configure_holds(files):
    os_retries.configure(files.read("[timeouts]\nretries_number = 2\n"))
    other = cfg.ConfigOpts()
    other([])
    other.register_opt(cfg.IntOpt("retries_number", default=9), group="timeouts")
    os_retries.configure(other)
    assert policy_for(None).retries_number == 9
    files.conf.set_override("retries_number", 1, "timeouts")
    assert policy_for(None).retries_number == 9


def test_configure_again_with_the_same_object_changes_nothing_but_the_hooks(files):
    waits, told = [], []
    files.read("[timeouts]\nretries_number = 1\n")
    os_retries.configure(files.conf)
    os_retries.configure(files.conf, sleep=waits.append, on_retry=told.append)
    with pytest.raises(HttpError):
        os_retries.execute_with_retries(Scripted(HttpError(503)))
    assert waits == [10.0]
    assert [retry.attempts for retry in told] == [2]


# Sahara's group


def test_in_a_file_sahara_s_group_is_a_deprecated_alias(files, caplog):
    os_retries.configure(files.read("[retries]\nretries_number = 3\nretry_after = 4\n"))
    assert (policy_for(None).retries_number, policy_for(None).retry_after) == (3, 4)
    assert 'Option "retries_number" from group "retries" is deprecated' in caplog.text


def test_the_new_group_wins_over_the_old_one(files):
    os_retries.configure(files.read("[retries]\nretries_number = 3\n[timeouts]\nretries_number = 4\n"))
    assert policy_for(None).retries_number == 4


def test_the_old_group_is_inherited_by_a_service_s_group(files):
    os_retries.configure(files.read("[retries]\nretries_number = 3\n[timeouts_image]\nretry_after = 1\n"))
    assert (policy_for("image").retries_number, policy_for("image").retry_after) == (3, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("text", ["", "[retries]\nretries_number = 3\n"])
def test_an_override_in_sahara_s_own_registration_holds(files, saharas, when, text):
    """As Sahara's tests set it, whether or not a file says something, and whoever registers first."""
    if when == "before":
        saharas(files.conf)
    files.read(text)
    os_retries.configure(files.conf)
    if when == "after":
        saharas(files.conf)
    assert policy_for(None).retries_number == (3 if text else 5)
    files.conf.set_override("retries_number", 2, "retries")
    assert policy_for(None).retries_number == 2
    files.conf.clear_override("retries_number", "retries")
    assert policy_for(None).retries_number == (3 if text else 5)


def test_the_defaults_of_a_registration_like_sahara_s_hold(files):
    """A copy of the function may have other defaults."""
    files.read()
    files.conf.register_opts([cfg.IntOpt("retries_number", default=4), cfg.IntOpt("retry_after", default=1)], "retries")
    os_retries.configure(files.conf)
    assert (policy_for(None).retries_number, policy_for(None).retry_after) == (4, 1)


def test_what_is_set_in_timeouts_wins_over_sahara_s_registration(files, saharas):
    saharas(files.conf)
    os_retries.configure(files.read("[timeouts]\nretries_number = 4\n[retries]\nretries_number = 3\n"))
    assert policy_for(None).retries_number == 4
    files.conf.set_override("retries_number", 6, "timeouts")
    files.conf.set_override("retries_number", 2, "retries")
    assert policy_for(None).retries_number == 6


def test_the_environment_of_sahara_s_registration_is_read(files, saharas, monkeypatch):
    monkeypatch.setenv("OS_RETRIES__RETRIES_NUMBER", "7")
    saharas(files.conf)
    os_retries.configure(files.read("[retries]\nretries_number = 3\n"))
    assert policy_for(None).retries_number == 7


def test_a_group_retries_of_the_application_s_own_is_left_alone(files, caplog):
    files.conf.register_opt(cfg.IntOpt("something_else", default=1), group="retries")
    os_retries.configure(files.read())
    assert policy_for(None) == RetryPolicy()
    assert caplog.records == []


# Options of the application's own


def test_options_that_the_application_has_registered_are_used_as_they_are(files):
    files.conf.register_opts(
        [
            cfg.IntOpt("retries_number", default=3),
            cfg.IntOpt("retry_after", default=1),
            cfg.ListOpt("retry_codes", default=["500", "503"]),
        ],
        group="timeouts",
    )
    os_retries.configure(files.conf)
    assert policy_for(None) == RetryPolicy(retries_number=3, retry_after=1, retry_codes={500, 503})
    files.read("[timeouts]\nretry_codes = 409,503\nretries_number = 4\n")
    assert policy_for(None) == RetryPolicy(retries_number=4, retry_after=1, retry_codes={409, 503})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (cfg.ListOpt("retry_codes", default=["500", "abc"]), "retry_codes: 'abc' is not a number"),
        (cfg.ListOpt("retry_codes", default=["99"]), "retry_codes: 99 is not the status of an error"),
        (cfg.StrOpt("retry_codes", default="500,503"), "retry_codes must be a list of HTTP statuses, not '500,503'"),
        (cfg.IntOpt("retries_number", default=-1), "retries_number must be from 0 to 10000, not -1"),
        (cfg.StrOpt("retry_after", default="soon"), "retry_after must be a number, not 'soon'"),
    ],
)
def test_an_option_of_the_application_s_own_that_makes_no_sense_is_a_clear_error(files, option, message):
    files.conf.register_opt(option, group="timeouts")
    with pytest.raises((ValueError, TypeError)) as raised:
        os_retries.configure(files.conf)
    assert message in str(raised.value)


def test_the_group_may_be_registered_by_the_application_before_or_after(files):
    """Sahara has a group [timeouts] with options of its own."""
    files.conf.register_group(cfg.OptGroup("timeouts", title="Timeouts"))
    files.conf.register_opt(cfg.IntOpt("delete_instances_timeout", default=10800), group="timeouts")
    os_retries.configure(files.read())
    files.conf.register_group(cfg.OptGroup("timeouts", title="Timeouts"))
    files.conf.register_opt(cfg.IntOpt("ips_assign_timeout", default=1), group="timeouts")
    assert policy_for(None) == RetryPolicy()
    assert files.conf.timeouts.ips_assign_timeout == 1


# Live


def test_what_is_mutated_holds_from_the_next_failure_on(files, recorded):
    os_retries.configure(files.read("[timeouts]\nretries_number = 2\n"))
    assert attempts_and_waits(recorded) == (3, [10.0, 10.0])
    files.mutate(
        "[timeouts]\nretries_number = 1\nretry_after = 4\nretry_codes = 503\n[timeouts_image]\nretry_after = 2\n"
    )
    assert attempts_and_waits(recorded) == (2, [4.0])
    assert attempts_and_waits(recorded, 500) == (1, [])
    assert policy_for("image").retry_after == 2


def test_what_is_mutated_during_a_call_holds_for_the_rest_of_it(files):
    files.read("[timeouts]\nretries_number = 5\n")
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        files.mutate("[timeouts]\nretries_number = 2\nretry_after = 3\n")

    os_retries.configure(files.conf, sleep=sleep)
    with pytest.raises(HttpError):
        os_retries.execute_with_retries(Scripted(HttpError(503)))
    assert waits == [10.0, 3.0]


def test_a_mutation_of_sahara_s_old_group_holds_too(files):
    os_retries.configure(files.read("[retries]\nretries_number = 3\n"))
    files.mutate("[retries]\nretries_number = 2\n")
    assert policy_for(None).retries_number == 2


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("[timeouts]\nretries_number = -1\n", "retries_number"),
        ("[timeouts]\nretries_number = many\n", "retries_number"),
        ("[timeouts]\nretry_codes = 99\n", "retry_codes"),
        ("[timeouts]\nretry_after = nan\n", "retry_after"),
    ],
)
def test_a_bad_value_that_is_mutated_in_is_logged_and_the_last_good_ones_hold(files, recorded, caplog, bad, said):
    os_retries.configure(files.read("[timeouts]\nretries_number = 1\nretry_after = 4\n"))
    files.mutate(bad)
    caplog.clear()
    assert attempts_and_waits(recorded) == (2, [4.0])  # and it is the client's error that is raised
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors
    assert all("the previous values stay in force" in error and said in error for error in errors)
    files.mutate("[timeouts]\nretries_number = 0\n")
    assert attempts_and_waits(recorded) == (1, [])


def test_the_last_good_values_are_the_last_ones_that_were_read(files):
    os_retries.configure(files.read("[timeouts]\nretries_number = 1\n"))
    files.mutate("[timeouts]\nretries_number = 2\n")
    assert policy_for(None).retries_number == 2
    files.mutate("[timeouts]\nretries_number = -1\n")
    assert policy_for(None).retries_number == 2


def test_a_bad_value_of_one_service_does_not_touch_the_others(files, caplog):
    os_retries.configure(files.read("[timeouts_image]\nretries_number = 3\n"))
    files.mutate("[timeouts]\nretries_number = 2\n[timeouts_image]\nretries_number = -3\n")
    assert (policy_for("image").retries_number, policy_for("network").retries_number) == (3, 2)
    assert "[timeouts]" in caplog.text or "[timeouts_image]" in caplog.text


def test_set_override_holds_at_once_and_until_it_is_cleared(files, recorded):
    os_retries.configure(files.read())
    files.conf.set_override("retries_number", 1, "timeouts")
    files.conf.set_override("retry_after", 0, "timeouts_image")
    assert attempts_and_waits(recorded) == (2, [10.0])
    assert (policy_for("image").retries_number, policy_for("image").retry_after) == (1, 0)
    files.conf.clear_override("retries_number", "timeouts")
    assert policy_for(None).retries_number == 5


def test_set_default_holds(files):
    os_retries.configure(files.read("[timeouts]\nretry_after = 2\n"))
    files.conf.set_default("retries_number", 3, "timeouts")
    files.conf.set_default("retry_after", 3, "timeouts")
    assert (policy_for(None).retries_number, policy_for(None).retry_after) == (3, 2)


def test_oslo_config_s_own_fixture_works(files, recorded):
    os_retries.configure(files.read())
    with config_fixture.Config(files.conf) as fixture:
        fixture.config(group="timeouts", retries_number=1, retry_after=0.5)
        assert attempts_and_waits(recorded) == (2, [0.5])
    assert policy_for(None) == RetryPolicy()


def test_oslo_config_s_own_fixture_loads_files(files, tmp_path):
    with config_fixture.Config(files.conf) as fixture:
        os_retries.configure(files.conf)
        fixture.load_raw_values(group="timeouts", retries_number="3")
        assert policy_for(None).retries_number == 3


# Bad values and bad arguments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[timeouts]\nretries_number = -1\n", "retries_number"),
        ("[timeouts]\nretries_number = 1.5\n", "retries_number"),
        ("[timeouts]\nretries_number = many\n", "retries_number"),
        ("[timeouts]\nretry_after = -0.1\n", "retry_after"),
        ("[timeouts]\nretry_after = inf\n", "retry_after"),
        ("[timeouts]\nretry_after = nan\n", "retry_after"),
        ("[timeouts]\nretry_codes = 99\n", "retry_codes"),
        ("[timeouts]\nretry_codes = 200\n", "retry_codes"),
        ("[timeouts]\nretry_codes = all\n", "retry_codes"),
        ("[timeouts]\nretry_backoff = 0.5\n", "retry_backoff"),
        ("[timeouts]\nretry_jitter = 2\n", "retry_jitter"),
        ("[timeouts]\nretry_max_wait = -1\n", "retry_max_wait"),
        ("[timeouts]\nretry_max_wait = nan\n", "retry_max_wait"),
        ("[timeouts]\nsettle_time = -1\n", "settle_time"),
        ("[timeouts]\nsafe_creates = perhaps\n", "safe_creates"),
        ("[timeouts]\nattempt_timeout = 0\n", "attempt_timeout"),
        ("[timeouts_compute]\nretries_number = -1\n", "retries_number"),
        ("[retries]\nretries_number = -1\n", "retries_number"),
    ],
)
def test_a_value_out_of_its_range_is_a_value_error_that_names_it(files, text, said):
    files.read(text)
    with pytest.raises(ValueError, match=said) as raised:
        os_retries.configure(files.conf)
    assert len(str(raised.value).splitlines()) == 1


def test_after_a_configure_that_failed_the_one_before_holds(files):
    os_retries.configure(files.read("[timeouts]\nretries_number = 2\n"))
    other = cfg.ConfigOpts()
    other([])
    other.register_opt(cfg.IntOpt("retries_number", default=-1), group="timeouts")
    with pytest.raises(ValueError):
        os_retries.configure(other)
    assert policy_for(None).retries_number == 2


@pytest.mark.parametrize("conf", [None, {}, "service.conf", cfg])
def test_what_is_no_oslo_config_object_is_a_clear_type_error(conf):
    with pytest.raises(TypeError, match=r"must be an oslo\.config ConfigOpts, such as oslo_config\.cfg\.CONF, not"):
        os_retries.configure(conf)


@pytest.mark.parametrize("hook", ["sleep", "on_retry"])
def test_a_hook_that_cannot_be_called_is_a_clear_type_error(files, hook):
    with pytest.raises(TypeError, match=f"{hook} must be a function or None, not 5"):
        os_retries.configure(files.conf, **{hook: 5})


def test_without_oslo_config_configure_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "oslo_config", None)
    with pytest.raises(
        ImportError, match=r"\[timeouts\] needs oslo\.config: pip install 'os-retries\[oslo\]'"
    ) as raised:
        os_retries.configure(object())
    assert isinstance(raised.value.__cause__, ImportError)


def test_without_oslo_config_calls_are_repeated_all_the_same(monkeypatch, recorded):
    monkeypatch.setitem(sys.modules, "oslo_config", None)
    assert attempts_and_waits(recorded) == (6, [10.0] * 5)


# The sample-config generator


def test_the_generator_lists_every_option_with_its_default_and_the_services_groups(tmp_path):
    """By the entry point of the installed distribution."""
    sample = tmp_path / "sample.conf"
    subprocess.run(
        [SCRIPTS / "oslo-config-generator", "--namespace", "os_retries", "--output-file", sample],
        check=True,
        capture_output=True,
    )
    text = sample.read_text()
    main = text.partition("[timeouts]")[2].partition("\n[")[0]
    for line in (
        "#retries_number = 5",
        "#retry_after = 10.0",
        "#retry_codes = 408,413,429,500,502,503,504",
        "#retry_backoff = 1.0",
        "#retry_jitter = 0.0",
        "#retry_max_wait = 300.0",
        "#attempt_timeout = <None>",
        "#safe_creates = true",
        "#settle_time = 15.0",
        "#settle_time_after_timeout = 120.0",
        "#reap_late_duplicates = false",
        "# Deprecated group/name - [retries]/retries_number",
        "# Deprecated group/name - [retries]/retry_after",
    ):
        assert line in main.splitlines()
    assert main.count("can be changed without restarting") == 15  # oslo's note on a mutable option
    for service in SERVICE_TYPES.values():
        assert f"[timeouts_{service.replace('-', '_')}]" in text.splitlines()
    assert "#retries_number = <None>" in text.partition("[timeouts_compute]")[2].splitlines()


def test_the_sample_itself_can_be_read_and_changes_nothing(files, tmp_path):
    sample = subprocess.run(
        [SCRIPTS / "oslo-config-generator", "--namespace", "os_retries"], check=True, capture_output=True, text=True
    ).stdout
    uncommented = [
        line.removeprefix("#") for line in sample.splitlines() if not line.startswith("# ") and "<None>" not in line
    ]
    os_retries.configure(files.read("\n".join(uncommented)))
    assert policy_for(None) == policy_for("compute") == RetryPolicy()


def test_every_field_of_the_policy_but_the_hooks_is_an_option():
    fields = set(RetryPolicy.__dataclass_fields__) - {"sleep", "on_retry"}
    main, *services = list_opts()
    assert {option.name for option in main[1]} == fields | {"observe"}
    for _group, options in services:
        assert {option.name for option in options} == fields


def test_observe_adds_the_sinks_that_it_names_and_removes_those_that_it_named_before(files):
    os_retries.configure(files.read("[timeouts]\nobserve = logging, structlog\n"))
    assert len(hooks.sinks) == 2
    files.mutate("[timeouts]\nobserve = structlog\n")
    policy_for(None)
    assert len(hooks.sinks) == 1
    os_retries.configure(files.read(""))
    assert hooks.sinks == ()


def test_observe_is_read_before_the_first_event_if_the_files_are_read_after_configure(files):
    conf = cfg.ConfigOpts()
    os_retries.configure(conf)
    assert hooks.sinks == ()
    conf.set_override("observe", ["logging"], "timeouts")
    policy_for(None)
    assert len(hooks.sinks) == 1
    os_retries.configure(files.read(""))


def test_an_unknown_sink_is_refused_and_nothing_is_changed(files):
    with pytest.raises(ValueError, match="unknown sink 'statsd'"):
        os_retries.configure(files.read("[timeouts]\nobserve = logging, statsd\n"))
    assert hooks.sinks == ()
    assert policy._defaults.provider is None


def test_an_attempt_timeout_that_is_no_number_leaves_the_last_good_one(files, caplog):
    """oslo.config takes "nan" for a number, and each request would fail with it."""
    os_retries.configure(files.read("[timeouts]\nattempt_timeout = 30\n"))
    files.mutate("[timeouts]\nattempt_timeout = nan\n")
    assert policy.attempt_timeout_for(lambda: None) == 30


@pytest.mark.parametrize("value", ["", "process"])
def test_an_empty_pacing_url_sets_none(files, caplog, value):
    os_retries.configure(files.read(f"[timeouts]\npacing_url = {value}\n"))
    assert policy.policy_for(None).pacing_url is None
    assert caplog.text == ""
