"""The simulation: it keeps the promises of pacing; and the command, with its messages about invalid options."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from os_retries import RetryPolicy
from os_retries.cli import main
from os_retries.pages.chart import Charts
from os_retries.pages.page import numbers, page
from os_retries.simulate.command import contestant
from os_retries.simulate.model import AwsStandard, Contestant, Service, World, clairvoyant
from os_retries.simulate.report import charts
from os_retries.simulate.scenario import Result, Scenario, Second

OUTAGE = Scenario(calls=15_000, lasts=25.0)


def paced(scenario: Scenario, **policy: float) -> Result:
    return World(scenario, contestant(RetryPolicy(**policy), "fleet")(scenario)).run()


def plain(scenario: Scenario) -> Result:
    return World(scenario, contestant(RetryPolicy(pacing=False))(scenario)).run()


# The promises of the design


@pytest.mark.parametrize(
    "scenario",
    [
        OUTAGE,
        Scenario(calls=15_000, lasts=60.0, left=0.5),
        Scenario(calls=20_000, lasts=25.0, collapses=True),
        Scenario(calls=20_000, lasts=25.0, failing=0.2, capacity=200.0),
        Scenario(calls=15_000, lasts=25.0, processes=200),
        Scenario(calls=15_000, lasts=25.0, latency=2.0),
    ],
    ids=["outage", "half", "collapsing", "20 % at random too", "200 processes", "slow answers"],
)
def test_in_trouble_next_to_no_call_fails_the_load_stays_and_it_is_drained_soon(scenario):
    result = paced(scenario)
    assert result.failed / result.calls <= 0.0005
    assert result.amplification <= 1.15
    assert result.peak_of_five <= 1.2 * scenario.capacity
    assert result.drained <= 1.5 * clairvoyant(scenario)


def test_at_a_small_service_chance_is_not_taken_for_overload():
    scenario = Scenario(rate=10.0, capacity=15.0, calls=2_500)
    result = paced(scenario)
    assert result.failed == 0
    assert result.drained <= 1.3 * clairvoyant(scenario)


def test_the_same_outage_breaks_hundreds_of_calls_and_storms_without_pacing():
    """Without this the test above would say nothing."""
    result = plain(dataclasses.replace(OUTAGE, lasts=60.0))
    assert result.failed > 500
    assert result.amplification > 2.0
    assert result.peak > 2 * OUTAGE.capacity


@pytest.mark.parametrize("failing", [0.01, 0.1, 0.2, 0.3])
def test_a_service_that_fails_at_random_sees_exactly_what_it_would_see_without_pacing(failing):
    scenario = Scenario(rate=200.0, capacity=1e5, lasts=0.0, failing=failing, calls=8_000)
    assert paced(scenario).seconds == plain(scenario).seconds


def test_a_call_that_gives_up_has_waited_as_long_as_it_may():
    result = paced(Scenario(rate=50.0, lasts=200.0, calls=8_000), retry_max_wait=60.0)
    assert result.failed > 1000
    assert result.waits[-1] <= 60.0 + 5 * 10.0 + 6 * 0.1 + 1e-6
    given_up = [at for at, each in enumerate(result.seconds) if each.given_up]
    assert given_up[0] >= 30 + 60


@pytest.mark.parametrize("scenario", [Scenario(), Scenario(lasts=60.0, left=0.5)], ids=["outage", "half"])
def test_a_hundred_processes_of_one_host_that_share_a_queue_act_like_one(scenario):
    """And without it they do not, or this test would say nothing."""
    scenario = dataclasses.replace(scenario, calls=12_000, processes=100)
    alone, together = (
        World(scenario, contestant(RetryPolicy(), queue)(scenario)).run() for queue in ("process", "host")
    )
    assert together.failed / together.calls <= 0.0005
    assert together.peak_of_five <= 1.2 * scenario.capacity
    assert together.amplification <= 1.3
    assert alone.failed > 50
    assert alone.peak_of_five > 1.5 * scenario.capacity


def test_the_queues_of_several_hosts_are_several():
    scenario = Scenario(calls=8_000, lasts=25.0, processes=100, hosts=50)
    host, fleet = (contestant(RetryPolicy(), queue)(scenario) for queue in ("host", "fleet"))
    results = [World(scenario, how).run() for how in (host, fleet)]
    assert [len(how.stores) for how in (host, fleet)] == [50, 1]
    assert results[0].peak_of_five > results[1].peak_of_five


@pytest.mark.parametrize(
    ("url", "queue"), [(None, "process"), ("process", "process"), ("host", "host"), ("redis://x", "fleet")]
)
def test_a_policy_has_the_queue_that_its_pacing_url_names(url, queue):
    scenario = Scenario(hosts=7)
    how = contestant(RetryPolicy(pacing_url=url))(scenario)
    assert len(how.stores) == {"process": 0, "host": 7, "fleet": 1}[queue]


# The world


def test_a_service_flaps_or_goes_slowly_as_it_was_told():
    trouble = Scenario(begins=10.0, lasts=40.0, left=0.5, capacity=100.0)
    flapping, slow = (dataclasses.replace(trouble, **how) for how in ({"flaps": 10.0}, {"ramps": True}))
    instants = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 45.0, 60.0)
    assert [Service(flapping).capacity(now) for now in instants] == [100, 50, 50, 100, 100, 50, 100, 100, 100]
    assert [Service(slow).capacity(now) for now in instants] == [100, 100, 87.5, 75, 62.5, 50, 75, 87.5, 100]


def test_the_same_seed_gives_the_same_world_and_another_one_another():
    assert paced(OUTAGE).seconds == paced(OUTAGE).seconds
    assert paced(OUTAGE).seconds != paced(dataclasses.replace(OUTAGE, seed=2)).seconds


def test_every_call_ends_and_is_counted_once():
    result = plain(Scenario(calls=5_000, lasts=60.0))
    assert result.calls == 5_000 == sum(each.began for each in result.seconds)
    assert result.failed == sum(each.given_up for each in result.seconds)
    attempts = sum(each.attempts for each in result.seconds)
    failed = sum(each.failed for each in result.seconds)
    assert attempts - failed == result.calls - result.failed


def test_a_service_takes_no_more_than_it_can():
    seconds = plain(OUTAGE).seconds
    works = [each.attempts - each.failed for each in seconds]
    assert max(works) <= OUTAGE.capacity * 1.1 + 1
    assert set(works[31:54]) == {0}


def test_aws_s_quota_gives_up_when_it_is_used_up():
    how = AwsStandard(RetryPolicy(), lambda: 0.5)
    result = World(OUTAGE, how).run()
    assert how.quota[0] <= 500
    assert result.failed > 0.95 * OUTAGE.rate * OUTAGE.lasts


def test_nobody_drains_faster_than_the_one_who_knows():
    how = Contestant(RetryPolicy(retries_number=1000), lambda: 0.5)
    assert World(OUTAGE, how).run().drained >= clairvoyant(OUTAGE) - 1.0


# The command

FEW = ["simulate", "--rate", "20", "--capacity", "30", "--begins", "5", "--lasts", "10", "--calls", "500"]


def test_the_command_prints_a_row_for_each_policy(capsys, tmp_path):
    conf = tmp_path / "nova.conf"
    conf.write_text("[timeouts]\nretries_number = 1\nretry_after = 1\npacing = false\n")
    assert main([*FEW, "--config-file", str(conf)]) == 0
    said = capsys.readouterr().out
    rows = {line[:18].strip(): line for line in said.splitlines()}
    for name in ("the specification", "keystoneauth", "AWS standard", "os-retries"):
        assert "%" in rows[name]
    failed = {name: int(re.search(r"  (\d+) \(", line)[1]) for name, line in rows.items() if "%)" in line}
    assert failed["os-retries"] == 0
    assert next(number for name, number in failed.items() if name.startswith(str(tmp_path)[:10])) > 100


def test_json_has_the_numbers_of_the_table_and_nothing_else_is_printed(capsys, tmp_path):
    assert main(FEW) == 0
    table = capsys.readouterr().out
    target = tmp_path / "lab.html"
    assert main([*FEW, "--json", "--html", str(target)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert target.exists()
    assert said["scenario"]["rate"] == 20.0
    for each in said["policies"]:
        row = next(line for line in table.splitlines() if line.startswith(f"{each['name']} "))
        numbers = [
            f"{each['failed']} ({each['failed'] / each['calls']:.2%})",
            f"{each['amplification']:.2f}",
            f"{each['peak']}",
            *(f"{each[name]:.0f} s" for name in ("drained", "wait_p50", "wait_p99")),
        ]
        assert re.split(r" {2,}", row)[1:] == numbers
    assert len(said["policies"]) == 4
    assert f"in {said['ideal']:.0f} s." in table


def test_several_processes_have_a_row_for_each_way_to_share_a_queue(capsys):
    assert main([*FEW, "--processes", "20", "--hosts", "2", "--flaps", "5", "--ramps"]) == 0
    said = capsys.readouterr().out
    assert "from 20 processes, on 2 hosts" in said
    assert "in turns of 5 s, coming and going slowly" in said
    for name in ("os-retries ", "os-retries, host", "os-retries, Redis"):
        assert f"\n{name}" in said


def test_the_page_holds_everything_itself(tmp_path, capsys):
    target = tmp_path / "lab.html"
    assert main([*FEW, "--html", str(target)]) == 0
    text = target.read_text()
    assert str(target) in capsys.readouterr().out
    assert not re.search(r"<link|<img|@import|(src|href)=|url\(", text)
    assert "connect-src" not in text
    assert "default-src 'none'" in text
    assert len(text) < 200_000


def test_the_charts_have_a_number_for_each_policy_and_second(tmp_path, capsys):
    """Where a policy has drained everything, nothing waits, and what was given up stays."""
    target = tmp_path / "lab.html"
    assert main([*FEW, "--json", "--html", str(target)]) == 0
    said = json.loads(capsys.readouterr().out)
    found = json.loads(re.search(r'id="numbers">(.*?)</script>', target.read_text())[1])
    assert found["policies"] == [each["name"] for each in said["policies"]]
    assert found["trouble"] == [[5.0, 15.0]]
    attempts, waiting, given_up = (each["curves"] for each in found["charts"])
    assert {len(curve) for curve in (*attempts, *waiting, *given_up)} == {len(found["seconds"])}
    assert [max(curve) for curve in attempts] == [each["peak"] for each in said["policies"]]
    assert [curve[-1] for curve in given_up] == [each["failed"] for each in said["policies"]]
    assert found["charts"][0]["limit"] == [30.0, "what the service can take"]


def test_a_curve_of_many_hours_has_few_points_and_keeps_its_peaks():
    seconds = [Second(attempts=9 if at == 7001 else 1, given_up=at == 9999) for at in range(10_000)]
    made = charts(Scenario(), {"x": Result(Scenario(), seconds=seconds)})
    assert list(made.seconds) == list(range(0, 10_000, 5))
    attempts, _, given_up = (chart.curves[0] for chart in made.charts)
    assert [at for at, number in zip(made.seconds, attempts, strict=True) if number == 9] == [7000]
    assert given_up[-2:] == [0, 1]


@pytest.mark.parametrize("name", ["</script><b>", "<!--", "\N{LINE SEPARATOR}"])
def test_a_name_on_a_page_is_text(name):
    """It ends neither the script that holds the numbers nor an element."""
    made = page("x", numbers(["failed"], [(name, "1")]), Charts(policies=[name], seconds=[0], charts=[]))
    inside = re.search(r'id="numbers">(.*?)</script>', made)[1]
    assert json.loads(inside)["policies"] == [name]
    assert name.strip() == "" or name not in made.partition("<!-- uPlot")[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rate", "0"], "--rate must be from 0.001"),
        (["--left", "2"], "--left must be from 0 to 1"),
        (["--random", "1"], "--random must be"),
        (["--calls", "0"], "--calls must be"),
        (["--hosts", "0"], "--hosts must be from 1 to"),
        (["--flaps", "-1"], "--flaps must be from 0 to"),
        (["--config-file", "/no/such/file"], "/no/such/file"),
        (["--html", "/no/such/folder/lab.html"], "No such file or directory"),
        (["--rate", "many"], "invalid float value"),
        (["--rate", "nan"], "--rate must be"),
    ],
)
def test_a_mistake_gets_a_clear_error(options, says, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["simulate", *options])
    assert raised.value.code == 2
    assert says in capsys.readouterr().err
