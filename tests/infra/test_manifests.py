"""Image, composition, Kubernetes and Terraform: what can be known of them without running them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hooks.core.event_hook import PATH
from hooks.core.ids import DirectoryName
from hooks.core.log_event import EVENT_TYPES
from hooks.core.membership import Mode
from hooks.settings import Role, load
from hooks.settings.demand import Demand
from hooks.store.engines import SILENCE_SECONDS
from tests.running import SEALING_KEY, SECRET

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OVERLAYS = sorted(each.name for each in (INFRA / "kubernetes/overlays").iterdir())
#: Whom the image runs as.
_UID = "10001"


def private_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
    )


def environ(names: set[str], config: Path, folder: Path) -> dict[str, str]:
    """Each of these secrets as a file, in the form it must have."""
    forms = {
        "HOOKS_DATABASE_URL": "postgresql://hooks:word@postgres/hooks",
        "HOOKS_HOOK_SECRET": SECRET,
        "HOOKS_OKTA_PRIVATE_KEY": private_key(),
        "HOOKS_SEALING_KEYS": SEALING_KEY,
        "HOOKS_CHAIN_KEY": SEALING_KEY,
    }
    given = {"HOOKS_CONFIG": str(config)}
    for name in names:
        (folder / name).write_text(forms.get(name, "x" * 40))
        given[f"{name}_FILE"] = str(folder / name)
    return given


def required() -> set[str]:
    """The secrets `serve` looks for, less those that are another way or for a while only."""
    demand = Demand(
        role=Role.SERVE, directories=(DirectoryName("main"),), organization=True, exposed=True
    )
    return {each.names[0] for each in demand.wanted()} - {
        "HOOKS_HOOK_SECRET_NEXT", "HOOKS_OKTA_API_TOKEN",
    }  # fmt: skip


# -- the image ---------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [each for each in text.splitlines() if each and not each.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (each.partition(" ") for each in lines)]


def test_the_image_is_labelled_with_the_version_of_the_package() -> None:
    assert ("ARG", f"VERSION={PROJECT['version']}") in instructions()
    (labels,) = (rest for name, rest in instructions() if name == "LABEL")
    assert f'title="{PROJECT["name"]}"' in labels
    assert f'licenses="{PROJECT["license"]}"' in labels
    assert f'description="{PROJECT["description"]}"' in labels


def test_the_image_gives_memory_back() -> None:
    *_, final = (at for at, (name, _) in enumerate(instructions()) if name == "FROM")
    assert ("ENV", "MALLOC_ARENA_MAX=2") in instructions()[final:]


def test_the_image_runs_as_nobody_in_particular_and_needs_no_shell() -> None:
    assert ("USER", f"{_UID}:{_UID}") in instructions()
    for name in ("ENTRYPOINT", "CMD"):
        (rest,) = (rest for each, rest in instructions() if each == name)
        assert json.loads(rest)
    (check,) = (rest for name, rest in instructions() if name == "HEALTHCHECK")
    words = json.loads(check.partition("CMD ")[2])
    assert words[0] == "python"
    # Nothing listens there, and that is what it finds: the program itself is whole.
    program = words[-1].replace("8080", "9")
    ran = subprocess.run(
        [sys.executable, *words[1:-1], program], check=False, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr.splitlines()[-1][:22]) == (1, "ConnectionRefusedError")


def test_the_image_installs_what_the_locks_name_and_nothing_else() -> None:
    runs = [part for name, rest in instructions() if name == "RUN" for part in rest.split("&&")]
    assert [each for each in runs if "apt-get" in each] == []
    fetched = []
    for each in (run for run in runs if re.search(r"^ *pip .* (install|wheel) ", run)):
        assert " --no-deps " in each
        # Either by a lock, or nothing is fetched at all.
        locked = re.findall(r"--require-hashes -r (\S+)", each)
        assert locked or " --no-build-isolation " in each or " --no-index " in each, each
        fetched += locked
    assert fetched == ["requirements.lock", "requirements-build.lock"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{each}" for each in fetched} <= set(ignored)


def test_the_image_can_install_nothing_and_make_nobody_more_than_they_are() -> None:
    last = [name for name, _ in instructions()].index("FROM", 2)
    final = " ".join(rest for name, rest in instructions()[last:] if name == "RUN")
    assert re.search(r"pip uninstall .*\bpip\b", final)
    assert "ensurepip" in final
    assert "find / -xdev -type f -perm /6000 -exec chmod ug-s" in final
    assert {rest for name, rest in instructions() if name == "FROM"} == {
        "${BASE} AS build",
        "${BASE}",
    }


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    ran = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout


# -- the composition ---------------------------------------------------------------------------

COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose/compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name.startswith("hooks")]


def test_only_the_balancer_is_reached_from_outside() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published.pop("balancer") == ["443:8443"]
    assert all(port.startswith("127.0.0.1:") for each in published.values() for port in each)
    balanced = set(re.findall(r"server \w+ ([\w-]+):8080", haproxy()))
    assert balanced == set(OURS)
    assert len(OURS) == 2
    networks = COMPOSE["networks"]
    shared = set(SERVICES["balancer"]["networks"]) & set(SERVICES["postgres"]["networks"])
    assert shared == set()
    for name in ("door", "store", "watch"):
        assert networks[name] == {"internal": True}


def test_secrets_are_files_and_each_is_used() -> None:
    for name, each in SERVICES.items():
        for key, value in each.get("environment", {}).items():
            if value == f"${{{key}:-}}":  # what need not be there cannot be a file
                assert "/infra/compose/.env" in (ROOT / ".gitignore").read_text()
            elif re.search(r"SECRET|KEY|TOKEN|PASSWORD|URL", key):
                assert key.endswith("_FILE"), (name, key)
                assert value.removeprefix("/run/secrets/") in each["secrets"], (name, key)
    used = {secret for each in SERVICES.values() for secret in each.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {
        f"./secrets/{name}" for name in used
    }
    ignored = (ROOT / ".gitignore").read_text()
    assert "/infra/compose/secrets/" in ignored
    assert "/infra/compose/hooks.toml" in ignored


def test_the_composition_has_every_secret_the_service_looks_for(tmp_path: Path) -> None:
    named = {each.removesuffix("_FILE") for each in SERVICES["hooks-1"]["environment"]}
    assert named == required() | {"HOOKS_HOOK_SECRET_NEXT"}
    example = (INFRA / "hooks.example.toml").read_text()
    text = example.replace("# organization_id", "organization_id").replace(
        'operations = "127.0.0.1:9090"', 'operations = "0.0.0.0:9090"'
    )
    (tmp_path / "hooks.toml").write_text(text)
    given = environ(required(), tmp_path / "hooks.toml", tmp_path)
    for written, live in (("", 1), (SECRET[::-1], 2)):
        settings = load({**given, "HOOKS_HOOK_SECRET_NEXT": written}, need=Role.SERVE)
        assert len(settings.secrets.hook) == live
    assert settings.listen.public.port == 8080


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "postgres"])
def test_a_container_of_the_composition_can_do_little(name: str) -> None:
    each = SERVICES[name]
    assert each["read_only"]
    assert each["cap_drop"] == ["ALL"]
    assert each["security_opt"] == ["no-new-privileges:true"]
    assert not each.get("privileged")


def test_every_config_is_a_file_and_each_is_used() -> None:
    # Compose refuses to put any other into a container whose root is read-only.
    for name, each in COMPOSE["configs"].items():
        assert list(each) == ["file"], name
        written_by_hand = each["file"] == "./hooks.toml"
        assert written_by_hand or (INFRA / "compose" / each["file"]).is_file(), name
    used = {each["source"] for service in SERVICES.values() for each in service.get("configs", ())}
    assert used == set(COMPOSE["configs"])


def test_every_container_of_the_composition_has_a_limit_of_memory() -> None:
    assert [name for name, each in SERVICES.items() if "mem_limit" not in each] == []


def test_prometheus_of_the_composition_scrapes_both_replicas_as_the_rules_call_them() -> None:
    settings = yaml.safe_load((INFRA / "compose/prometheus.yml").read_text())
    (job,) = settings["scrape_configs"]
    assert job["job_name"] == "hooks"
    (scraped,) = job["static_configs"]
    assert scraped["targets"] == [f"{name}:9090" for name in OURS]
    mounted = {each["target"] for each in SERVICES["prometheus"]["configs"]}
    assert set(settings["rule_files"]) <= mounted


def test_images_are_pinned_and_ours_by_its_version() -> None:
    for name, each in SERVICES.items():
        tag = each["image"].partition(":")[2]
        assert tag not in ("", "latest"), name
        if name in OURS:
            assert each["image"] == f"{PROJECT['name']}:{PROJECT['version']}"


# -- Kubernetes --------------------------------------------------------------------------------


@cache
def _rendered(overlay: str) -> list[dict[str, Any]]:
    if not shutil.which("kubectl"):
        # Only it joins base and overlays as a cluster will be given them; pip has no such tool.
        pytest.skip("no kubectl here, which renders the overlays")  # pip cannot bring it
    ran = subprocess.run(
        ["kubectl", "kustomize", INFRA / "kubernetes/overlays" / overlay],  # noqa: S607
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return list(yaml.safe_load_all(ran.stdout))


def of(overlay: str, kind: str) -> dict[str, Any]:
    (found,) = (each for each in _rendered(overlay) if each["kind"] == kind)
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_what_an_overlay_renders(overlay: str) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="not in this environment: install requirements-dev.lock"
    )
    for each in _rendered(overlay):
        for version in ("1.30", validate.latest_version()):  # the oldest with preStop sleep
            validate.validate(each, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_as_the_restricted_standard_wants_them_and_stay_up(overlay: str) -> None:
    deployment = of(overlay, "Deployment")["spec"]
    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert str(pod["securityContext"]["runAsUser"]) == _UID
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    probes = {key: container[f"{key}Probe"]["httpGet"]["path"] for key in ("liveness", "readiness")}
    assert probes == {"liveness": "/livez", "readiness": "/readyz"}
    assert pod["terminationGracePeriodSeconds"] >= 5 + 30
    assert container["image"].endswith(f":{PROJECT['version']}")
    labels = deployment["template"]["metadata"]["labels"]
    for kind in ("PodDisruptionBudget", "Service"):
        selector = of(overlay, kind)["spec"]["selector"]
        assert selector in (labels, {"matchLabels": labels})
    namespace = of(overlay, "Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_reads_its_secrets_from_the_secret_it_refers_to(overlay: str, tmp_path: Path) -> None:
    assert [each for each in _rendered(overlay) if each["kind"] == "Secret"] == []
    pod = of(overlay, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = (each["secret"] for each in pod["volumes"] if "secret" in each)
    assert volume["secretName"] == "hooks"
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert given == {f"{each}_FILE": f"/run/secrets/hooks/{each}" for each in required()}
    (rest,) = (each for each in container["env"] if "value" not in each)
    key = rest["name"]
    assert key == "HOOKS_HOOK_SECRET_NEXT"
    assert rest["valueFrom"] == {"secretKeyRef": {"name": "hooks", "key": key, "optional": True}}
    (tmp_path / "hooks.toml").write_text(of(overlay, "ConfigMap")["data"]["hooks.toml"])
    settings = load(environ(required(), tmp_path / "hooks.toml", tmp_path), need=Role.SERVE)
    wanted = Mode.ENFORCE if overlay == "production" else Mode.OBSERVE
    assert set(settings.modes.values()) == {wanted}
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["public"] == settings.listen.public.port
    assert ports["operations"] == settings.listen.operations.port


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_listens_under_the_name_it_tells_okta(overlay: str) -> None:
    told = tomllib.loads(of(overlay, "ConfigMap")["data"]["hooks.toml"])
    host = urlsplit(told["okta"]["hook_url"]).hostname
    ingress = of(overlay, "Ingress")["spec"]
    assert [each["host"] for each in ingress["rules"]] == [host]
    assert ingress["tls"] == [{"hosts": [host], "secretName": "hooks-tls"}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_neither_a_shut_node_nor_the_release_before_leaves_a_new_pod_without_a_place(
    overlay: str,
) -> None:
    pod = of(overlay, "Deployment")["spec"]["template"]["spec"]
    spread = pod["topologySpreadConstraints"]
    for each in spread:
        assert each["nodeTaintsPolicy"] == "Honor"
        assert each["matchLabelKeys"] == ["pod-template-hash"]
    strict = [each["whenUnsatisfiable"] == "DoNotSchedule" for each in spread]
    assert strict == ([True, False] if overlay == "production" else [False])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_reaches_its_names_and_the_world_and_no_metadata(overlay: str) -> None:
    names, world, database = of(overlay, "NetworkPolicy")["spec"]["egress"]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in names["to"], "NodeLocal DNSCache"
    assert {each["port"] for each in names["ports"]} == {53}
    assert [each["port"] for each in (*world["ports"], *database["ports"])] == [443, 5432]
    blocks = [each["ipBlock"] for each in world["to"]]
    for address, reached in (
        ("203.0.113.7", True), ("2001:db8::7", True),
        ("169.254.169.254", False), ("fd00:ec2::254", False), ("fe80::a9fe:a9fe", False),
    ):  # fmt: skip
        told = ip_address(address)
        into = [
            told in ip_network(each["cidr"])
            and not any(told in ip_network(out) for out in each["except"])
            for each in blocks
        ]
        assert any(into) is reached, address


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_but_the_hook_is_let_in_and_the_operations_door_has_no_service(
    overlay: str,
) -> None:
    (rule,) = of(overlay, "Ingress")["spec"]["rules"]
    assert [(each["path"], each["pathType"]) for each in rule["http"]["paths"]] == [(PATH, "Exact")]
    assert [each["targetPort"] for each in of(overlay, "Service")["spec"]["ports"]] == ["public"]
    policy = of(overlay, "NetworkPolicy")["spec"]
    assert policy["podSelector"] == {}
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    admitted = [
        (each["from"][0]["namespaceSelector"]["matchLabels"].popitem()[1], each["ports"])
        for each in policy["ingress"]
    ]
    assert [ports for _, ports in admitted] == [[{"port": "public"}], [{"port": "operations"}]]
    names = policy["egress"][0]["to"][0]["podSelector"]
    assert names == {"matchLabels": {"k8s-app": "kube-dns"}}, "a label of ours would match no DNS"


def haproxy() -> str:
    return (INFRA / "compose/haproxy.cfg").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_ingress_gives_up_on_a_replica_as_the_composition_does(overlay: str) -> None:
    notes = of(overlay, "Ingress")["metadata"]["annotations"]
    lines = {each.strip() for each in haproxy().splitlines()}
    for line in notes["haproxy.org/backend-config-snippet"].splitlines():
        assert re.sub(r"^timeout connect +", "timeout connect ", line) in lines
    assert f"timeout server {notes['haproxy.org/timeout-server']}" in lines
    method, path = notes["haproxy.org/check-http"].split()
    assert f"http-check send meth {method} uri {path} " in haproxy()


def test_a_few_addresses_cannot_take_every_connection_of_the_balancer() -> None:
    (most,) = re.findall(r"maxconn (\d+)", haproxy())
    (of_one,) = re.findall(r"sc0_conn_cur gt (\d+)", haproxy())
    assert int(most) >= 30 * int(of_one)
    (kept,) = re.findall(r"tune.bufsize (\d+)", haproxy())
    limit = SERVICES["balancer"]["mem_limit"]
    assert int(most) * (int(kept) + 2**16) < int(limit.removesuffix("m")) * 2**20


def test_the_balancer_gives_up_on_a_replica_before_okta_does() -> None:
    found = dict(re.findall(r"timeout (connect|server) (\d+)ms", haproxy()))
    tries = 1 + int(re.findall(r"retries (\d)", haproxy())[0])
    assert tries * (int(found["connect"]) + int(found["server"])) <= 3500 < SILENCE_SECONDS * 1000
    assert tries * int(found["server"]) < 3000, "Okta would have gone"


# -- Terraform ---------------------------------------------------------------------------------


def terraform() -> Iterator[str]:
    for each in sorted((INFRA / "terraform").glob("*.tf")):
        yield each.read_text()


def test_terraform_subscribes_to_what_the_service_wants() -> None:
    text = "\n".join(terraform())
    events = text.partition("events = [")[2].partition("]")[0]
    assert sorted(re.findall(r'"([a-z_.]+)"', events)) == sorted(EVENT_TYPES)


def test_terraform_grants_the_scopes_the_readme_names_and_no_more() -> None:
    text = "\n".join(terraform())
    scopes = re.findall(r'"(okta\.\w+\.\w+)"', text.partition("scopes = [")[2].partition("]")[0])
    readme = (ROOT / "README.md").read_text()
    line = next(each for each in readme.splitlines() if "API service integration" in each)
    assert sorted(scopes) == sorted(re.findall(r"`(okta\.\w+\.\w+)`", line))
    granted = re.findall(r'"(okta\.\w+\.\w+)"', text)
    assert all(each.endswith(".read") for each in granted)


# It is about form alone, and only the program itself knows its form; scopes are held above.
@pytest.mark.skipif(  # pip cannot bring it
    not shutil.which("terraform"),
    reason="no terraform here, and only it knows how it writes itself",
)
def test_terraform_is_written_as_terraform_writes_it() -> None:
    ran = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", INFRA / "terraform"],  # noqa: S607
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


# -- all of it ---------------------------------------------------------------------------------


def test_every_yaml_file_is_tidy() -> None:
    pytest.importorskip("yamllint", reason="not in this environment: install requirements-dev.lock")
    rules = (
        "{extends: default, rules: {document-start: disable, line-length: {max: 100}, "
        "comments: {min-spaces-from-content: 1}, braces: {max-spaces-inside: 0}, "
        "truthy: {check-keys: false}, octal-values: disable}}"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "-d", rules, INFRA],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


def test_infra_names_every_file_it_holds() -> None:
    readme = (INFRA / "README.md").read_text()
    told = re.findall(r"^\| `([\w.]+)` \|", readme, re.MULTILINE)
    assert sorted(told) == sorted(each.name for each in INFRA.iterdir() if each.name != "README.md")
