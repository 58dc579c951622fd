"""An evaluation in words, as a person reads it in a terminal."""

from training.evaluation.evaluation import AtFmr, Evaluation, Rate


def told_in_words(evaluation: Evaluation) -> str:
    """The figures for people, one on a line."""
    lines = [
        f"{evaluation.protocol}: {evaluation.mated:,} mated and {evaluation.non_mated:,} non-mated "
        f"comparisons of {evaluation.identities:,} people in {evaluation.pictures:,} pictures",
        f"FTA       {evaluation.fta:.4f} ({len(evaluation.failures)} pictures gave no template)",
        f"EER       {rate(evaluation.eer)}",
        f"AUC       {evaluation.auc:.5f}",
        *(f"FNMR      {fnmr(at)}" for at in evaluation.at_fmr),
    ]
    if evaluation.accuracy is not None:
        accuracy = evaluation.accuracy
        lines.insert(1, f"accuracy  {accuracy.mean:.4f} ± {accuracy.deviation:.4f} ({accuracy.folds} folds)")
    if evaluation.retrieval is not None:
        found = evaluation.retrieval
        lines += [
            "R@K       " + ", ".join(f"R@{k} {share:.4f}" for k, share in found.recall.items()),
            f"P@1       {found.precision_at_1:.4f}",
            f"RP        {found.r_precision:.4f}",
            f"MAP@R     {found.map_at_r:.4f}",
            f"NMI       {evaluation.nmi:.4f}",
        ]
    if evaluation.set_aside:
        lines.append(f"{evaluation.set_aside:,} pictures of people with very many were set aside")
    if evaluation.suspects:
        lines.append(f"{evaluation.suspects} non-mated comparisons look like one photograph: see the labels")
    return "\n".join(lines)


def rate(measured: Rate) -> str:
    """A rate with its 95 % interval."""
    if measured.interval is None:
        return f"{measured.value:.4f}"
    return f"{measured.value:.4f} ({measured.interval[0]:.4f} to {measured.interval[1]:.4f})"


def fnmr(at: AtFmr) -> str:
    """FNMR at one false match rate, or that it cannot be told."""
    if at.fnmr is None or at.threshold is None:
        return f"at FMR {at.fmr:g}: too few comparisons to tell"
    return f"at FMR {at.fmr:g}: {rate(at.fnmr)}, d <= {at.threshold.value:.4f}"
