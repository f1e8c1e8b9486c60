"""Ray for as long as one sweep: refused where it is missing, on loopback alone, gone afterwards."""

import importlib.util
import json
import subprocess
import sys

import pytest

from hilum.distribute.cluster import cluster, demand_ray, share
from hilum.errors import UsageError

LISTENING = """
import json, signal
from hilum.distribute.cluster import cluster

before = signal.getsignal(signal.SIGTERM)
with cluster("", 2) as given:
    import ray
    import psutil  # Ray brings its own
    me = psutil.Process()
    ray.get(ray.remote(lambda: 1).remote())
    family = [me, *me.children(recursive=True)]
    found = [each.laddr.ip for one in family for each in one.net_connections() if each.status == "LISTEN"]
    same = signal.getsignal(signal.SIGTERM) is before
gone, alive = psutil.wait_procs(family[1:], timeout=20)
told = {"given": given, "listening": found, "same": same, "family": len(family), "alive": len(alive)}
print(json.dumps(told))
"""


@pytest.mark.parametrize("missing", ["ray", "optuna"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(UsageError, match=rf"a sweep needs {missing}: pip install 'hilum\[sweep\]'"):
        demand_ray()


@pytest.mark.parametrize(
    ("whole", "nodes", "at_once", "given"),
    [
        ({"CPU": 2.0}, [{"CPU": 2.0}], 1, {"cpu": 2.0}),
        ({"CPU": 3.0}, [{"CPU": 3.0}], 2, {"cpu": 1.0}),
        ({"CPU": 1.0}, [{"CPU": 1.0}], 4, {"cpu": 1.0}),
        ({"CPU": 64.0, "GPU": 4.0}, [{"CPU": 32.0}] * 2, 8, {"cpu": 8.0, "gpu": 0.5}),
        ({}, [], 1, {"cpu": 1.0}),
    ],
)
def test_trials_share_what_there_is(whole, nodes, at_once, given) -> None:
    assert share(whole, nodes, at_once) == given


@pytest.mark.slow
def test_nothing_listens_beyond_loopback() -> None:
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["family"] > 3
    assert len(told["listening"]) > 3
    assert {address.removeprefix("::ffff:") for address in told["listening"]} == {"127.0.0.1"}
    assert told["same"]
    assert told["alive"] == 0


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "localhost:here", "ray://127.0.0.1:9"])
def test_an_address_without_a_cluster_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=f"--address {address}: no Ray cluster there"), cluster(address, 1):
        pass
