"""From labelled faces to a candidate model, in six steps: gather, mine, train, evaluate, calibrate, register.

Each step finds what the ones before left in the job's folder and can be done again after a crash.

gathered.json   what was gathered; the pictures themselves are read again and never copied
groups.csv      groups of the people held out to test, where groups were given
mined/          hard negatives and the review list
run/            the training
report.html     everything a person needs to decide
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from embedding.bundle import SHIPPED, Bundle
from embedding.embedder import Embedder
from embedding.manifest import Provenance
from index.jobs.jobs import Job
from index.jobs.params import RetrainParams
from index.jobs.places import find_places, find_recipe_places, is_shipped, resolve_checkpoint
from training.data.confusions import Confusion, write_confusions
from training.data.faces import SPLIT, FaceSet, Split, class_labels
from training.data.groups import find_groups, format_groups, read_groups, write_groups
from training.data.pictures import Pictures
from training.data.seen import Seen
from training.data.sources import Gathered, as_pictures, gather_again, gather_faces, hold_out, read_seen
from training.embedder.export import Crops, build_served_network, export_bundle
from training.embedder.loop import train
from training.embedder.objective import refuse_unusable_losses
from training.embedder.quantise import choose_crops
from training.embedder.recipe import Recipe, open_recipe
from training.embedder.report import write_run_report
from training.embedder.start import build_starting_network
from training.embedder.tables import read_table
from training.embedder.teacher import refuse_other_length
from training.engine.run import RunFolder, load_checkpoint
from training.errors import ExportDiffers, RecipeInvalid, TrainingStopped
from training.evaluation.attack import AttackedModel, AttackPairs
from training.evaluation.calibrate import calibrate_bundle
from training.evaluation.gate import Attack, ModelComparison, compare
from training.evaluation.gate_attack import PEOPLE, attack_both
from training.evaluation.held_out import choose_targets, refuse_too_few_people
from training.jobs.anchor import ModelAnchor, find_anchor, find_network
from training.jobs.figures import ProgressFigures
from training.jobs.lease import Lease
from training.jobs.whitening import whiten_start
from training.jobs.workshop import Workshop
from training.mining.mined_set import mine_pictures
from training.mining.review import PAGE, POOL

CHECKPOINT_MINUTES = 1.0
"""At most so much of a training is lost with its worker."""

Facts = dict[str, Any]


@dataclass
class Retraining:
    """One job of this kind; its steps are its methods, and are done in their order."""

    shop: Workshop
    job: Job
    _comparison: ModelComparison | None = None
    _anchor: ModelAnchor | None = None

    @cached_property
    def params(self) -> RetrainParams:
        """What was asked for."""
        return RetrainParams.model_validate(self.job.params)

    @cached_property
    def folder(self) -> Path:
        """Where the job writes."""
        return self.shop.folder(self.job.id)

    @cached_property
    def run(self) -> RunFolder:
        """Where the training writes."""
        return RunFolder(self.folder / "run")

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with its paths resolved, and checkpoints often enough for a job."""
        recipe = self._read_recipe()
        machine = recipe.machine
        often = replace(
            machine,
            checkpoint_minutes=min(machine.checkpoint_minutes, CHECKPOINT_MINUTES),
            judge_minutes=max(machine.judge_minutes, machine.checkpoint_minutes),
        )
        start = str(resolve_checkpoint(recipe.start_from)) if recipe.start_from else ""
        return self._apply_anchor(replace(recipe, machine=often, start_from=start))

    def _apply_anchor(self, recipe: Recipe) -> Recipe:
        named = self.params.start_from
        if self._anchor is None:
            self._anchor = ModelAnchor.read(self.folder)
        if self._anchor is None:
            self._anchor = find_anchor(self.shop, recipe, str(resolve_checkpoint(named)) if named else "")
        return self._anchor.apply_to(recipe)

    @property
    def anchor(self) -> ModelAnchor:
        """What holds the training to the model in use; the same in every step."""
        assert self.recipe is not None  # what finds it
        assert self._anchor is not None
        return self._anchor

    def _read_recipe(self) -> Recipe:
        """The recipe as it was asked for, once everything that it names may be read.

        Raises:
            RecipeInvalid: If it is none. What a file says is not told to those who may only name it.
            JobInvalid: If it, or the job, names a place that the job may not read.
        """
        asked, data = self.params.recipe, [Path(place) for place in self.params.data[:1]] or [self.folder]
        self.shop.check_places(self.job, find_places(self.job.params))
        if not isinstance(asked, str):
            return read_table(asked, Recipe, "recipe")
        try:
            recipe = open_recipe(asked)
            if not is_shipped(asked):
                self.shop.check_places(self.job, find_recipe_places(asdict(recipe), data))
        except RecipeInvalid as error:
            if not self.job.confined:
                raise
            raise RecipeInvalid(asked, "it is not a recipe; `invigil train` says what is wrong") from error
        return recipe

    @cached_property
    def start(self) -> Path | None:
        """The checkpoint that is started from."""
        return Path(self.recipe.start_from) if self.recipe.start_from else None

    @cached_property
    def faces(self) -> FaceSet:
        """What was gathered, read once more where another process gathered it."""
        record = Gathered.read(self.folder / "gathered.json")
        return gather_again(record, self.shop.crops() if record.crops else None)

    @property
    def pictures(self) -> Pictures:
        """The same to measure on."""
        return as_pictures(self.faces, self.folder)

    @property
    def split(self) -> Split:
        """Who was held out."""
        return Split.read(self.run.path / SPLIT)

    @property
    def bundle(self) -> Path:
        """Where the new bundle is."""
        return self.shop.data_dir / "models" / self.name

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.params.name or f"retrained-{self.job.created_at:%Y%m%d}-{str(self.job.id)[-6:]}"

    def gather(self, lease: Lease) -> Facts:
        """Read everything, hold people out, and refuse now what would fail hours later."""
        recipe, params = self.recipe, self.params
        build_starting_network(recipe)  # refuses a checkpoint of another network
        self._refuse_other_length()
        faces, record = gather_faces(params.data, self.shop.crops() if params.enrolled else None)
        lease.check()
        split = hold_out(faces, recipe.data.held_out, recipe.seed, self.start)
        labels = class_labels(faces, split.training_rows(faces))
        refuse_unusable_losses(recipe, int(labels.max()) + 1, self.folder)
        refuse_too_few_people(faces, split, self.shop.fmrs, recipe.data.held_out)
        if params.groups is not None:
            groups = find_groups(Path(params.groups), faces.identities, split.test)
            write_groups(self.folder / "groups.csv", groups)
            lease.log(f"of the people held out to test, {format_groups(groups)}")
        self.run.path.mkdir(exist_ok=True)
        split.write(self.run.path / SPLIT)
        self.anchor.write(self.folder)
        record.write(self.folder / "gathered.json")
        self.faces = faces
        lease.log(str(self.anchor))
        for name, reason in list(record.skipped.items())[:5]:
            lease.log(f"skipped {name}: {reason}")
        lease.log(
            f"{record.faces:,} faces of {record.identities:,} people; {len(split.calibrate)} are held out to "
            f"calibrate and {len(split.test)} to test; {len(record.skipped)} pictures could not be used"
        )
        return {
            "faces": record.faces,
            "identities": record.identities,
            "enrolled": len(record.crops),
            "skipped": len(record.skipped),
            "held_out": {"calibrate": len(split.calibrate), "test": len(split.test)},
            "digest": record.digest,
            "anchor": str(self.anchor),
        }

    def _refuse_other_length(self) -> None:
        """Vectors of the model in use can be targets of a network only whose vectors are as long.

        Raises:
            RecipeInvalid: If they are not.
        """
        if self.anchor.model_id:
            refuse_other_length(self.shop.embedder(self.anchor.model_id), self.recipe.network.dim)

    def mine(self, lease: Lease) -> Facts:
        """Find hard negatives with the model in use, where the recipe wants any."""
        if not self.recipe.mining.every_epochs:
            lease.log("the recipe mines no hard negatives")
            return {}
        mined = mine_pictures(
            self.shop.embedder(),
            self.pictures,
            self.recipe.mining,
            without=self.split.held_out,
            confusions=self.confusions,
            aligned=True,
            acquiring=lambda done, total: lease.report_and_check(done, 2 * total),
            searching=lambda done, total: lease.report_and_check(total + done, 2 * total),
        )
        mined.write(self.folder / "mined", self.pictures)
        write_confusions(self.folder / "mined" / "confusions.csv", self.confusions)
        triplets, suspects = len(mined.mined.triplets), len(mined.mined.suspects)
        lease.log(f"{triplets:,} hard triplets; {suspects:,} pairs of people are held back for review")
        review = self.folder / "mined" / PAGE
        return {"triplets": triplets, "suspects": suspects, "review": str(review)}

    @property
    def confusions(self) -> list[Confusion]:
        """People who must be told apart, as whoever asked for the job knew them."""
        return [Confusion(*pair) for pair in self.params.confusions]

    def train(self, lease: Lease) -> Facts:
        """Train, from the last checkpoint where there is one."""
        recipe, mined = self.recipe, (self.folder / "mined").resolve()
        if recipe.mining.every_epochs:
            pool, confusions = str(mined / POOL), str(mined / "confusions.csv")
            recipe = replace(recipe, mining=replace(recipe.mining, pool=pool, confusions=confusions))
        progress, anchor = ProgressFigures(self.run, lease), self.anchor.model_id
        incumbent = self.shop.embedder(anchor).bundle.path if anchor else SHIPPED
        if recipe.whiten_start and self.start is not None:
            recipe, incumbent = self._whiten(recipe, lease)

        def stop(step: int, steps: int) -> bool:
            lease.report(step, steps, lambda: progress.read(step, steps))
            return lease.is_to_stop

        data = Path(self.params.data[0]) if self.params.data else self.folder
        resume = self.run.last.is_file()
        lease.log("going on from the last checkpoint" if resume else "training begins")
        try:
            train(
                recipe,
                data,
                self.run.path,
                resume=resume,
                faces=self.faces,
                stop=stop,
                incumbent=incumbent,
            )
        except TrainingStopped as stopped:
            lease.log(f"stopped after step {stopped.step}; the checkpoint is kept")
            lease.check()
            raise
        return {"run": str(self.run.path), "steps": recipe.optimiser.steps}

    def _whiten(self, recipe: Recipe, lease: Lease) -> tuple[Recipe, Path]:
        """The recipe that starts from the whitened checkpoint, and the bundle whose vectors are targets."""
        assert self.start is not None
        made = whiten_start(
            self.start,
            self.folder / "start",
            self.faces,
            self.split,
            self.shop.embedder().bundle,
            recipe.whiten_start,
            lease.report_and_check,
        )
        lease.log(f"the start is whitened by {made.faces:,} faces of the people that are trained on")
        return replace(recipe, start_from=str(made.checkpoint)), made.bundle

    def evaluate(self, lease: Lease) -> Facts:
        """Make a bundle, and compare it with the model in use on the people held out to test."""
        incumbent = self.shop.embedder()
        lease.log("exporting the network")
        try:
            self.export(incumbent.bundle, choose_crops(self.faces, self.split))
        except ExportDiffers as error:
            lease.log(f"not in eight bits: {error}")
            self.export(incumbent.bundle)
        lease.check()
        comparison = self.comparison(incumbent, Embedder.open(self.bundle), lease)
        gate = comparison.record
        worse = f": {', '.join(map(str, gate['worse_in']))}" if gate["worse_in"] else ""
        gained = f"better in {', '.join(gate['gained_in'])}" if gate["gained_in"] else "nothing was gained"
        lease.log(f"compared with the model in use: {gate['verdict'].replace('_', ' ')}{worse}; {gained}")
        return {"gate": gate}

    def export(self, incumbent: Bundle, ranges: Crops | None = None) -> Bundle:
        """The new network in a bundle, with the detector of the model in use; with ranges, in eight bits."""
        places = [*self.params.data, *(["crops of enrolments"] if self.params.enrolled else [])]
        asked = self.params.recipe
        return export_bundle(
            self.run.chosen,
            incumbent.detector,
            self.bundle,
            self.name,
            both_sides=True,
            ranges=ranges,
            provenance=Provenance(
                embedder=f"Retrained by job {self.job.id}, from {self.recipe.start_from or 'nothing'}.",
                detector=incumbent.manifest.provenance.detector,
                data="; ".join(places),
                recipe=asked if isinstance(asked, str) else "of its own, in run.json",
            ),
        )

    def calibrate(self, lease: Lease) -> Facts:
        """Measure the new model's thresholds on people whom neither it nor its start has seen."""
        seen = Seen.join([Seen.read(self.run.path), read_seen(self.start)])
        people, pictures = self.split.calibrate, self.pictures
        bundle, measured = calibrate_bundle(
            self.bundle,
            pictures,
            seen,
            data=f"{len(people)} people held out by job {self.job.id}.",
            names=pictures.of_people(frozenset(people)),
            targets=choose_targets(self.faces, self.split, self.shop.fmrs),
            aligned=True,
            progress=lease.report_and_check,
        )
        record = measured.calibration
        lease.log(f"calibrated on {record.identities:,} people, {record.non_mated:,} non-mated comparisons")
        summary = record.model_dump(mode="json", exclude={"curve"})
        return {"calibration": summary, "model_id": bundle.model_id}

    def register(self, lease: Lease, gate: Mapping[str, Any]) -> Facts:
        """Write the report, and make the model known as a candidate; a person promotes it.

        Where no state of the training was better than the one it began with, or the people held out to test
        show no gain, there is none.
        """
        bundle, incumbent = Bundle.load(self.bundle), self.shop.embedder()
        report = self.folder / "report.html"
        candidate = Embedder.open(self.bundle)
        # Where no crash came between, the comparison was made with the bundle before it was calibrated.
        comparison = self.comparison(incumbent, candidate, lease).with_candidate(candidate)
        write_run_report(
            report,
            self.run,
            comparison,
            self.pictures,
            mined=self.folder / "mined",
            command=f"{self.params.as_command()}  # job {self.job.id}",
            anchor=str(self.anchor),
        )
        if load_checkpoint(self.run.chosen)["step"] == 0 and not self.recipe.whiten_start:
            lease.log("the training found nothing better than what it began with: there is no candidate")
            return {"report": str(report.resolve()), "nothing_better": True}
        if not gate["gained_in"]:
            lease.log("the people held out to test show no gain: there is no candidate")
            return {"report": str(report.resolve()), "nothing_better": True}
        model = self.shop.models.register(
            bundle.model_id,
            name=bundle.manifest.name,
            dim=bundle.dim,
            calibration_id=bundle.calibration.id,
            facts=bundle.manifest.model_dump(mode="json", exclude={"calibration"}),
            gate=dict(gate),
            location=str(bundle.path.resolve()),
            actor=f"job {self.job.id}",
        )
        lease.log(f"{model.name} is a candidate: {model.id}")
        return {"model_id": model.id, "bundle": str(bundle.path.resolve()), "report": str(report.resolve())}

    def comparison(self, incumbent: Embedder, candidate: Embedder, lease: Lease) -> ModelComparison:
        """Both models on the people held out to test; done once, unless another process has to go on."""
        if self._comparison is None:
            pictures, groups = self.pictures, self.folder / "groups.csv"
            self._comparison = compare(
                incumbent,
                candidate,
                pictures,
                pictures.of_people(frozenset(self.split.test)),
                groups=read_groups(groups) if groups.is_file() else None,
                aligned=True,
                attack=self._attack(incumbent, candidate, lease),
                progress=lease.report_and_check,
            )
        return self._comparison

    def _attack(self, incumbent: Embedder, candidate: Embedder, lease: Lease) -> Attack | None:
        """Attacks both models alike, where the networks of both are at hand."""
        own = build_served_network(self.run.chosen, candidate)
        former = find_network(self.shop, incumbent, self.start)
        if own is None or former is None:
            return None
        pictures = self.pictures
        names = pictures.of_people(frozenset(self.split.test))
        pairs = AttackPairs.of(pictures, names, PEOPLE)
        models = AttackedModel(former, incumbent.embed_crops), AttackedModel(own, candidate.embed_crops)
        lease.log(f"attacking both models with the pictures of {len(pairs)} people")
        return lambda fmr, thresholds: attack_both(models, pairs, fmr, thresholds)
