"""The parameters of each kind of job: the service validates them, the worker reads them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from index.errors import JobInvalid, suggest_nearest

Kind = Literal["retrain", "reembed", "evaluate"]

Place = Annotated[str, Field(min_length=1, max_length=1000)]
Confusion = Annotated[list[Annotated[str, Field(max_length=300)]], Field(min_length=3, max_length=3)]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RetrainParams(_Params):
    """A new candidate model.

    Attributes:
        recipe: One of the project's recipes by name, or a whole recipe as a table.
        data: Folders or archives of labelled, aligned faces, as the worker sees them.
        enrolled: Also the crops of the enrolment database that may be trained on.
        start_from: A checkpoint to start from instead of the recipe's.
        name: What the model is to be called.
        groups: A list `identity,group` in CSV, as the worker sees it: the models are compared in each group
            as well.
        confusions: Pairs of people who must be told apart: identity, identity, reason.
    """

    recipe: Annotated[str, Field(min_length=1, max_length=200)] | dict[str, Any] = "retrain"
    data: Annotated[list[Place], Field(max_length=50)] = []
    enrolled: bool = False
    start_from: Place | None = None
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] | None = None
    groups: Place | None = None
    confusions: Annotated[list[Confusion], Field(max_length=10_000)] = []

    def as_command(self) -> str:
        """The equivalent command line."""
        recipe = self.recipe if isinstance(self.recipe, str) else "RECIPE.toml"
        options = [f"--data {place}" for place in self.data]
        options += ["--enrolled"] if self.enrolled else []
        options += [f"--groups {self.groups}"] if self.groups else []
        return " ".join(["invigil train", recipe, "--job", *options])

    @model_validator(mode="after")
    def _require_faces(self) -> "RetrainParams":
        if not self.data and not self.enrolled:
            raise ValueError("faces are needed: data, enrolled, or both")
        return self


class ReembedParams(_Params):
    """Templates of one model for every crop that is kept."""

    model_id: Annotated[str, Field(min_length=1, max_length=100)]


class EvaluateParams(_Params):
    """The figures of a model on labelled pictures.

    Attributes:
        data: A folder or archive of pictures, as the worker sees it.
        model_id: By default the active model.
        aligned: The pictures are aligned crops already.
    """

    data: Place
    model_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    aligned: bool = False


PARAMS: dict[str, type[_Params]] = {
    "retrain": RetrainParams,
    "reembed": ReembedParams,
    "evaluate": EvaluateParams,
}


def check_params(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """Validate the parameters and add their defaults, as they are stored.

    Raises:
        JobInvalid: If the kind or a parameter is unknown, or a value is not allowed; the message names the
            nearest valid word.
    """
    if kind not in PARAMS:
        raise JobInvalid("kind", f"there is no kind {kind!r}; {suggest_nearest(kind, PARAMS)}")
    model = PARAMS[kind]
    for key in params:
        if key not in model.model_fields:
            raise JobInvalid(f"params/{key}", f"unknown key; {suggest_nearest(key, model.model_fields)}")
    try:
        return model.model_validate(params).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(["params", *map(str, first["loc"][:1])])
        raise JobInvalid(place, first["msg"].removeprefix("Value error, ")) from error
