"""Container files and settings agree with each other; no engine is needed, for nothing is built."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from service.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = re.compile(r"\$\{([A-Z_]+)")
SERVICE_KEYS = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "deploy",
    "environment",
    "healthcheck",
    "image",
    "networks",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "tmpfs",
    "volumes",
}
"""Those of the Compose specification that are in use; a misspelt one would be refused by an engine."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def example() -> set[str]:
    """Every variable of `.env.example`, whether it is set there or stands as a comment."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE))


def test_the_services_use_keys_that_exist(compose: dict[str, Any]) -> None:
    assert set(compose) == {"x-invigil", "services", "volumes", "networks"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name


def test_what_a_service_refers_to_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service["networks"]) <= set(compose["networks"])
        named = {volume.split(":")[0] for volume in service.get("volumes", ()) if volume[0].isalpha()}
        assert named <= set(compose["volumes"])


def test_the_overlay_lets_the_service_out_and_repeats_nothing(compose: dict[str, Any]) -> None:
    overlay = yaml.safe_load((ROOT / "docker-compose.outside.yml").read_text(encoding="utf-8"))

    assert set(overlay) == {"services"}
    assert set(overlay["services"]) == {"api"}
    for name, service in overlay["services"].items():
        assert set(service) == {"networks"}
        assert set(service["networks"]) <= set(compose["networks"])
        # Engines that append instead of joining would refuse a network that is named twice.
        assert not set(service["networks"]) & set(compose["services"][name]["networks"])
    assert compose["networks"]["inside"]["internal"] is True
    assert not (compose["networks"]["outside"] or {}).get("internal")


def test_two_replicas_wait_for_the_migration_behind_a_proxy(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert services["api"]["deploy"]["replicas"] == 2
    assert services["api"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["command"] == ["db", "upgrade"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["trainer"]["profiles"] == services["worker"]["profiles"] == ["train"]
    assert services["worker"]["command"] == ["worker"]


def test_every_running_service_says_how_it_is(compose: dict[str, Any]) -> None:
    for name in ("db", "api", "proxy"):
        assert compose["services"][name]["healthcheck"]["test"], name


def test_every_variable_is_explained_in_the_example(compose: dict[str, Any], example: set[str]) -> None:
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))

    assert used <= example
    # What has another name is set by `invigil serve` for its workers, not by people.
    ours = {name for name, field in Settings.model_fields.items() if field.validation_alias is None}
    assert {f"INVIGIL_{name.upper()}" for name in ours} <= example


# What the image and the compose file decide: where data is, what the proxy reaches, which database there is.
# Secrets in files are for those who mount some; both forms at once are refused.
DECIDED_BY_COMPOSE = {
    "INVIGIL_DATA_DIR",
    "INVIGIL_HOST",
    "INVIGIL_PORT",
    "INVIGIL_DATABASE_URL_FILE",
    "INVIGIL_TEMPLATE_KEY_FILE",
    "INVIGIL_TEMPLATE_KEYS_FILE",
    "INVIGIL_OIDC_CLIENT_SECRET_FILE",
}


@pytest.mark.parametrize("name", ["migrate", "api", "worker", "trainer"])
def test_every_setting_of_the_example_reaches_every_container(
    compose: dict[str, Any], example: set[str], name: str
) -> None:
    environment = compose["services"][name]["environment"]
    settings = {
        f"INVIGIL_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if not field.validation_alias
    }

    assert settings <= example
    assert settings - DECIDED_BY_COMPOSE == set(environment)
    for variable in settings - DECIDED_BY_COMPOSE - {"INVIGIL_DATABASE_URL"}:
        assert re.match(rf"\$\{{{variable}[:}}]", environment[variable]), variable


def test_each_service_signs_in_to_the_database_as_a_role_of_its_own(compose: dict[str, Any]) -> None:
    services = compose["services"]
    roles = {
        name: re.match(r"postgresql://(\w+):\$\{(\w+)", services[name]["environment"]["INVIGIL_DATABASE_URL"])
        for name in ("migrate", "api", "worker", "trainer")
    }

    signed_in = {name: (found[1], found[2]) for name, found in roles.items() if found}
    assert signed_in == {name: (f"invigil_{name}", f"POSTGRES_{name.upper()}_PASSWORD") for name in roles}
    made = (ROOT / "postgres" / "roles.sql").read_text(encoding="utf-8")
    script = (ROOT / "postgres" / "roles.sh").read_text(encoding="utf-8")
    for role, secret in signed_in.values():
        assert f"'{role}'" in made
        assert secret in script
        assert secret in services["db"]["environment"]
    assert services["db"]["environment"]["POSTGRES_USER"] not in {role for role, _ in signed_in.values()}


def test_what_compose_leaves_empty_is_left_at_its_default(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = compose["services"]["api"]["environment"]
    left = [variable for variable, value in environment.items() if value.endswith(":-}")]
    for variable in environment:
        monkeypatch.delenv(variable, raising=False)
    defaults = Settings(_env_file=None)  # type: ignore[call-arg]

    for variable in left:
        monkeypatch.setenv(variable, "")

    assert len(left) > 10
    assert Settings(_env_file=None) == defaults  # type: ignore[call-arg]


def test_a_secret_is_asked_for_and_never_written_down() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    required = (
        "POSTGRES_PASSWORD",
        "POSTGRES_API_PASSWORD",
        "POSTGRES_MIGRATE_PASSWORD",
        "INVIGIL_TEMPLATE_KEY",
    )
    for secret in required:
        assert set(re.findall(rf"\${{{secret}(?!S)([^}}]*)}}", compose)) == {":?set it in .env"}
        assert f"\n{secret}=\n" in example


def test_the_example_as_it_is_leaves_every_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"INVIGIL_{name.upper()}", raising=False)

    from_example = Settings(_env_file=ROOT / ".env.example")  # type: ignore[call-arg]

    defaults = Settings(_env_file=None)  # type: ignore[call-arg]
    assert not from_example.template_key
    assert from_example.model_dump(exclude={"template_key"}) == defaults.model_dump(exclude={"template_key"})


def test_the_image_serves_without_torch_and_without_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.MULTILINE))
    serve = dockerfile.split("AS serve")[1]

    assert list(stages.values())[-1] == "serve"
    assert "USER 10001" in serve
    assert "HEALTHCHECK" in serve
    assert "COPY --from=build " in serve
    assert "train.txt" not in dockerfile.split("AS train-build")[0]


def test_everything_that_the_image_copies_exists_and_is_sent_to_it() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
    ]

    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name.split("/")[0] in sent, name


@pytest.mark.parametrize("extras", [[], ["train"], ["test"], ["train", "test"]])
def test_each_requirements_file_pins_what_the_project_depends_on(extras: list[str]) -> None:
    """A file that was not resolved again leaves a dependency out for whoever installs that file alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    name = {(): "base", ("train", "test"): "all"}.get(tuple(extras), extras[0] if extras else "")
    pinned = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"), re.M)
    )
    assert {canonical(re.split(r"[\[~<>=; ]", line)[0]) for line in wanted} <= {
        canonical(name) for name in pinned
    }


NEEDED_UNSEEN = {
    "onnxscript": "torch exports through it",
    "tzdata": "time zones, where the machine has none",
    "uharfbuzz": "fpdf2 shapes letters with it",
    "uvloop": "uvicorn's event loop",
}


def test_every_dependency_is_imported_or_says_what_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = ("embedding", "index", "service", "training", "migrations")
    code = "\n".join(path.read_text("utf-8") for name in packages for path in (ROOT / name).rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE)) | set(
        re.findall(r'"(\w+)"', code)
    )
    modules: dict[str, set[str]] = {}
    for module, names in packages_distributions().items():
        for one in names:
            modules.setdefault(canonical(one), set()).add(module)

    declared = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    needed = {canonical(re.split(r"[\[~<>=; ]", line)[0]) for line in declared}

    # Of what is not installed here, such as the extra for training, nobody knows the modules.
    here = needed & modules.keys()
    assert {name for name in here if not modules[name] & imported} == NEEDED_UNSEEN.keys() & here


def canonical(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
