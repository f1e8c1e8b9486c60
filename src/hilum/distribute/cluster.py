"""Ray for as long as one sweep: on this machine's loopback alone, or on a cluster that is there already."""

import contextlib
import importlib.util
import io
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from hilum.errors import RunError, UsageError

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anyone
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the run folder is the record
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the command line ends a sweep as it ends everything
}
LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Without it Ray replaces 127.0.0.1 by an address that other machines reach; read when ray is imported."""

LOOPBACK = "127.0.0.1"


def demand_ray() -> None:
    """Refuses to begin where the extra is not installed.

    Raises:
        UsageError: Says how to install it.
    """
    missing = [name for name in ("ray", "optuna") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"a sweep needs {' and '.join(missing)}: pip install 'hilum[sweep]'")


@contextlib.contextmanager
def cluster(address: str, at_once: int) -> Iterator[dict[str, float]]:
    """Ray while the block lasts; yields the CPUs, and GPUs if any, of one trial.

    Args:
        address: Of a cluster; empty for this machine, where nothing listens beyond loopback.
        at_once: Trials at the same time.

    Raises:
        UsageError: There is no cluster at the address.
        RunError: This version of Ray would listen beyond loopback.
    """
    if address:
        _demand_reachable(address)
    os.environ.update(QUIET if address else {**QUIET, **LOOPBACK_ONLY})
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # advice on dashboards and tokens
            if address:
                ray.init(address=address, **quiet)
            else:
                n_cpus = max(len(os.sched_getaffinity(0)), at_once)
                ray.init(num_cpus=n_cpus, include_dashboard=False, _node_ip_address=LOOPBACK, **quiet)
    except ConnectionError as error:
        raise UsageError(f"--address {address}: this machine is not in that cluster: {error}") from error
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray's own would end the program with another code
    try:
        here = ray.util.get_node_ip_address()
        if not address and here != LOOPBACK:
            raise RunError(
                f"Ray {ray.__version__} listens on {here} instead of loopback; install another version"
            )
        yield share(ray.cluster_resources(), [node["Resources"] for node in ray.nodes()], at_once)
    finally:
        ray.shutdown()


def _demand_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    parts = urlsplit(f"//{address}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--address {address}: no Ray cluster there ({error}); on a machine of the cluster, give "
            "HOST:PORT as `ray start --head` names it"
        ) from error


def share(whole: Mapping[str, float], nodes: Sequence[Mapping[str, float]], at_once: int) -> dict[str, float]:
    """What one trial is given, so that `at_once` of them fit and each fits on one machine.

    Example:
        >>> share({"CPU": 16.0, "GPU": 2.0}, [{"CPU": 8.0}, {"CPU": 8.0}], 1)
        {'cpu': 8.0, 'gpu': 1.0}
        >>> share({"CPU": 2.0}, [{"CPU": 2.0}], 2)
        {'cpu': 1.0}
    """
    largest = max((node.get("CPU", 0.0) for node in nodes), default=1.0)
    given = {"cpu": max(1.0, min(whole.get("CPU", 1.0) // at_once, largest))}
    if whole.get("GPU"):
        given["gpu"] = min(1.0, whole["GPU"] / at_once)
    return given
