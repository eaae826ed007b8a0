"""What deploy/ starts is what the edge takes: every option exists, and every stop leaves time to drain."""

import configparser
import re
import shutil
import subprocess
import tomllib

import kubernetes_validate
import pytest
import typer.main
import yaml

from edge.commands import app
from edge.config.static import StaticConfig

MANIFESTS = ("admin.yaml", "edge.yaml", "redis-sentinel.yaml")
OPTIONS = {f"EDGE_{name.upper()}" for name in StaticConfig.model_fields} | {"EDGE_CONFIG"}


def manifests(root, name: str) -> list[dict]:
    return list(yaml.safe_load_all((root / "deploy/kubernetes" / name).read_text()))


def of_kind(root, kind: str) -> list[dict]:
    return [found for name in MANIFESTS for found in manifests(root, name) if found["kind"] == kind]


def the_edge(root) -> dict:
    (found,) = [s for s in of_kind(root, "StatefulSet") if s["metadata"]["name"] == "trunkgate"]
    return found["spec"]


def environment(root) -> dict[str, str]:
    return environment_of(the_edge(root))


def environment_of(spec: dict) -> dict[str, str]:
    (container,) = spec["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def the_admin(root) -> dict:
    (found,) = of_kind(root, "Deployment")
    return found["spec"]


def service(root) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(root / "deploy/systemd/trunkgate.service")
    return unit["Service"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_are_as_kubernetes_has_them(root, name):
    """Checked against the schemas of Kubernetes, unknown keys too."""
    found = manifests(root, name)
    assert found
    for document in found:
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_no_manifest_is_forgotten(root):
    """What lies there is tried."""
    assert sorted(MANIFESTS) == sorted(path.name for path in (root / "deploy/kubernetes").iterdir())


def test_every_option_named_in_deployments_exists(root):
    """Manifests, compose, image, unit: a misspelled variable would be ignored in silence."""
    compose = yaml.safe_load((root / "compose.yaml").read_text())["services"]["edge"]["environment"]
    image = set(re.findall(r"\b(EDGE_[A-Z_]+)=", (root / "Dockerfile").read_text()))
    variables = environment(root) | environment_of(the_admin(root))
    named = {name for name in variables if name.startswith("EDGE_")} | set(compose) | image
    assert len(image) >= 5
    assert set() == named - OPTIONS


def test_the_settings_of_the_unit_are_sound(root):
    """Each key exists and has a value that the edge takes."""
    StaticConfig.model_validate(tomllib.loads((root / "deploy/systemd/edge.toml").read_text()))


def test_every_stop_leaves_time_to_drain(root):
    """Killed in mid-drain, calls would be lost that could have ended."""
    assert the_edge(root)["template"]["spec"]["terminationGracePeriodSeconds"] > int(environment(root)["EDGE_DRAIN_S"])
    drain_s = StaticConfig.model_fields["drain_s"].default
    settings = tomllib.loads((root / "deploy/systemd/edge.toml").read_text())
    assert int(service(root)["TimeoutStopSec"]) > settings["drain_s"]
    compose = yaml.safe_load((root / "compose.yaml").read_text())["services"]["edge"]
    assert int(compose["stop_grace_period"].removesuffix("s")) > drain_s


def test_edges_have_names_volumes_and_a_budget(root):
    """Three edges, each with its name and its records, never all away at once."""
    spec = the_edge(root)
    assert 3 == spec["replicas"]
    assert {"EDGE_NODE", "EDGE_REDIS", "EDGE_CONTACTS_KEY"} <= set(environment(root))
    (container,) = spec["template"]["spec"]["containers"]
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == environment(root)["EDGE_STATE"]
    for stateful in of_kind(root, "StatefulSet"):
        labels = stateful["spec"]["template"]["metadata"]["labels"]
        budgets = [b for b in of_kind(root, "PodDisruptionBudget") if b["spec"]["selector"]["matchLabels"] == labels]
        assert [1] == [budget["spec"]["maxUnavailable"] for budget in budgets]
        (headless,) = [s for s in of_kind(root, "Service") if s["metadata"]["name"] == stateful["spec"]["serviceName"]]
        assert "None" == headless["spec"]["clusterIP"]


def test_a_draining_edge_is_not_killed_by_its_probe(root):
    """OPTIONS gets 503 while it drains: that is for readiness alone."""
    (container,) = the_edge(root)["template"]["spec"]["containers"]
    assert "edge ping" in " ".join(container["readinessProbe"]["exec"]["command"])
    assert "exec" not in container["livenessProbe"]


def test_the_console_is_served_over_tls_from_the_store_of_the_edges(root):
    """Its options are those of `edge admin`; its probes are pages that it has; the secrets are those of the edges."""
    (container,) = the_admin(root)["template"]["spec"]["containers"]
    word, *options = container["args"]
    assert "admin" == word
    known = {name for one in typer.main.get_command(app).commands["admin"].params for name in one.opts}
    assert {option for option in options if option.startswith("--")} <= known
    chain, _, key = environment_of(the_admin(root))["EDGE_ADMIN_CERTIFICATE"].partition(":")
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert all(any(path.startswith(mount) for mount in mounts) for path in (chain, key))
    probes = [container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
    assert ["/readyz", "/healthz"] == [probe["path"] for probe in probes]
    assert {"HTTPS"} == {probe["scheme"] for probe in probes}
    store = [entry for entry in container["env"] if entry["name"] == "EDGE_REDIS"]
    (edge,) = the_edge(root)["template"]["spec"]["containers"]
    assert store == [entry for entry in edge["env"] if entry["name"] == "EDGE_REDIS"]
    assert container["image"] == edge["image"]


def test_every_script_of_the_store_can_be_read_by_a_shell(root):
    """They are text in a manifest, which nothing else would try."""
    (scripts,) = of_kind(root, "ConfigMap")
    for text in scripts["data"].values():
        done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert ("", 0) == (done.stderr, done.returncode)


def test_the_unit_keeps_the_service_in(root):
    """No privilege, one place to write."""
    unit = service(root)
    assert ("yes", "strict", "", "yes") == tuple(
        unit[key] for key in ("NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "DynamicUser")
    )
    analyser = shutil.which("systemd-analyze")
    if analyser is not None:  # not in every container: then the lines above are all that is asked
        words = [
            analyser,
            "security",
            "--offline=true",
            "--threshold=20",
            str(root / "deploy/systemd/trunkgate.service"),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-400:]


def test_the_unit_is_one_that_systemd_reads(root, tmp_path):
    """Every key and value known to it; the program itself is not on this machine."""
    text = (root / "deploy/systemd/trunkgate.service").read_text()
    assert "ExecStart=/opt/trunkgate/bin/edge run " in text
    analyser = shutil.which("systemd-analyze")
    if analyser is not None:  # not in every container
        unit = tmp_path / "trunkgate.service"
        unit.write_text(text.replace("/opt/trunkgate/bin/edge run ", f"{shutil.which('true')} "))
        words = [analyser, "verify", "--man=no", str(unit)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stdout + done.stderr)
