"""What each command's help says; its first sentence also stands in the list of commands."""

from __future__ import annotations

__all__ = ["COMMANDS", "EXIT_CODES", "INTRODUCTION", "epilogue"]

EXIT_CODES = {
    0: "all done",
    1: "a bug in isocenter",
    2: "wrong usage",
    3: "some inputs failed, the rest is done",
    4: "nothing matched",
    5: "a model or its weights are missing or damaged",
    6: "disk, memory or permission",
    7: "a training whose loss is not finite",
    10: "quality gate not met (--fail-below)",
    130: "interrupted; finished results are kept",
}

INTRODUCTION = """How good is an MR scan, what is wrong with it, and how to make it better.

Start here:  isocenter demo
Then:        isocenter assess my_scan.nii.gz
"""

ASSESS = """Say how good scans are and which artifacts they show.

PATH is a scan (NIfTI, Analyze, MGH, MINC, DICOM), a folder with one DICOM
series, or a folder that is searched for scans to the bottom. For each scan a
few lines are printed, and NAME_quality.json (for programs) and
NAME_quality.html (for people) are written.
"""
ASSESS_EXAMPLES = """Examples:
  isocenter assess sub-01_T1w.nii.gz
  isocenter assess bids/ --out results/ --workers 4
  isocenter assess *.nii.gz --json | jq .score.value
  isocenter assess sub-01_T1w.nii.gz --model ensemble
  isocenter assess scan.nii.gz --fail-below 40 || echo "scan again"
"""

COMPARE = """Compare quality measures with people's ratings of images.

RATINGS is a table (CSV or TSV) with the columns image, reference and mos, and
perhaps deviation, n_raters, artifact and energy. IMAGES is the folder with the
images (PNG, BMP, TIFF, NIfTI). Every measure is run, and measures that cannot
be told apart are put into one group. Into the folder of --out go
comparison.html (for people), comparison.tsv, values.tsv and comparison.json
(for programs). The same command goes on where it was interrupted.
"""
COMPARE_EXAMPLES = """Examples:
  isocenter compare ratings.csv images/ --methods all
  isocenter compare ratings.csv images/ --methods psnr,ssim,vif --workers 4
"""

DATASETS = """Known data sets: how to get them, and whether all of one is there.

ACTION is list (every data set with its size and licence), show NAME (where it
is, its terms, the commands that download it, how its folders lie), or
check NAME DIR (hold a folder against it). Nothing is downloaded for you.

A check counts people and images by contrast, and names what is missing, empty
or half there. It leaves with 0 when all is there, with 3 when something is
missing, with 4 when nothing matches. bids and plain stand for any data set.
"""
DATASETS_EXAMPLES = """Examples:
  isocenter datasets list
  isocenter datasets show oasis
  isocenter datasets check oasis downloads/oasis
"""

DEMO = """Assess a sample scan and a copy of it with simulated motion.

Needs no data of your own and no network.
"""
DEMO_EXAMPLES = """Example:
  isocenter demo
"""

DISTORT = """Put an artifact of known strength into a scan.

Reads the scan IN and writes OUT (NIfTI). Beside OUT, its name with .json holds
every value that was drawn, so that the same damage can be done again. The same
seed always gives the same file. With --param a value of that record is given and
not drawn.
"""
DISTORT_EXAMPLES = """Examples:
  isocenter distort clean.nii.gz moved.nii.gz --artifact motion --level 3
  isocenter distort clean.nii.gz moved.nii.gz --artifact motion --level 3 --param trajectory=t.tsv
"""

LIST = """List artifacts, data sets, measures, metrics, models, presets, recipes or restorers.

Each line is a name that other commands take, and what it stands for. Metrics and
measures also say what they need (a reference, weights), which way is better
(higher or lower; neither for what describes), and in which unit they are.
"""
LIST_EXAMPLES = """Example:
  isocenter list artifacts
"""

MODELS = """Networks that ship with isocenter, and public weights to begin from.

ACTION is list (every model with its size and licence), show NAME (its card:
what it was trained on, by whom, and how well it does), get NAME (fetch public
weights into your cache folder, or into ISOCENTER_HOME), or export RUN FOLDER (the
network of `isocenter train`, with its card and hashes, in a folder to pass on).

get is the only command that uses the network. What it fetches is kept only if its
SHA-256 is right; where that is not known here, you give it with --sha256. With
--from FILE it takes a file that you fetched yourself.
"""
MODELS_EXAMPLES = """Examples:
  isocenter models list
  isocenter models show hsfnet
  isocenter models get resnet18 --sha256 HASH
  isocenter models export runs/a mymodel/
"""

METRICS = """Measure scans, or compare them with a reference.

Without --reference: the measures that MRIQC takes of a head (noise, contrast,
sharpness, shading, tissue, air), by the corrected formulas or by MRIQC's own.
Where definition and contrast are those of a known population, the table says
where each value stands in it. What has no value has a reason.

With --reference: psnr, ssim, ms_ssim, nmse, haarpsi, vif, gmsd, hfen and nqm,
inside the reference's head. A metric that takes no volume gets axial slices,
and their mean counts; one that takes no mask gets the box around it.

A .tsv or .json of MRIQC is read instead of a scan, and gets percentiles and
ratings.
"""
METRICS_EXAMPLES = """Examples:
  isocenter metrics sub-01_T1w.nii.gz
  isocenter metrics bids/ --definition mriqc-0.15 --out measures/
  isocenter metrics worse.nii.gz --reference clean.nii.gz
  isocenter metrics worse.nii.gz --reference clean.nii.gz --only psnr,ssim --json
  isocenter metrics group_T1w.tsv --definition mriqc-0.15
"""

TRAIN = """Train a network by a recipe.

RECIPE is one of `isocenter list recipes`, DATA the folder with the scans. Into
the folder of --out go the state, from which the same command goes on where it
stopped, the curve (curve.html, curve.tsv), who was learned from (split.json)
and, at the end, the network (model.safetensors). Needs the extra `train`.
"""
TRAIN_EXAMPLES = """Examples:
  isocenter train assessor scans/ --out runs/a
  isocenter train assessor scans/ --out runs/b --set schedule.n_steps=500 --workers 4
"""

EVALUATE = """Say how good trained networks are on people they never saw.

RUN is a folder of `isocenter train`. Prints each figure with its interval by
person, beside a constant answer, and writes scores.md, scores.json and the
answers into the folder. Several runs are put into one table and compared with
the first; those that differ in the setting `fold` alone are pooled.
"""
EVALUATE_EXAMPLES = """Examples:
  isocenter evaluate runs/a
  isocenter evaluate runs/a runs/b --json
"""

ENHANCE = """Make thin slices of a scan's thick ones, with a map of where not to believe them.

IN is a scan of thick slices (any format that assess reads), OUT is written as
NIfTI. Beside it go, under the same name: _uncertainty, _lower and _upper (where
the method knows them), _interpolated (cubic splines, to compare), _disagreement
and _not_measured (what the checks found), .html (pictures, side by side) and
.json (for programs, written last).

For research, not for diagnosis: an enhanced scan may hide or invent lesions.
"""
ENHANCE_EXAMPLES = """Examples:
  isocenter enhance lowfield_T2w.nii.gz enhanced.nii.gz
  isocenter enhance thick.nii.gz thin.nii.gz --ratio 4 --members 2 --max-memory 1
  isocenter enhance thick.nii.gz thin.nii.gz --brain mask.nii.gz --assess
  isocenter enhance thick.nii.gz cubic.nii.gz --method cubic
"""

CHECK = """Check an enhanced scan, whoever made it, against the scan it came from.

ENHANCED holds thin slices, SCAN the thick ones. Says whether the thin slices
agree with what was measured, how much of their detail cannot have been measured,
and which regions changed more than they should. It cannot say that detail
between the slices is right: nobody measured that.
"""
CHECK_EXAMPLES = """Examples:
  isocenter check enhanced.nii.gz scan.nii.gz
  isocenter check enhanced.nii.gz scan.nii.gz --deviation sd.nii.gz --json checks.json
"""

FIT_PRIOR = """Fit the signal over noise of a low-field scanner, for simulation.

SCANS are low-field scans of one scanner and one contrast, five or more. Of each,
brain and tissues are found (or given with --brain and --tissue), and the means of
white and grey matter are divided by the noise. The prior, a normal distribution of
the two, goes into the file of --out; a recipe or isocenter.artifacts.snr_prior
takes that file where it takes the name of a published prior.

A scan whose tissues cannot be told apart is left out, and said.
"""
FIT_PRIOR_EXAMPLES = """Examples:
  isocenter fit-prior scans/*_T1w.nii.gz --out prior.json
  isocenter fit-prior a.nii b.nii c.nii d.nii e.nii --contrast FLAIR --out prior.json
"""

SIMULATE = """Make a benchmark: every scan with every artifact at every level.

SOURCE is a folder of undamaged scans, or one scan; it is only read. Into the
folder OUT go images/ (NIfTI, and beside each image what was drawn for it),
labels.tsv (a row for each image: person, artifact, level, hashes, parameters,
side of a 3:1:1 split by person) and labels.json (what the columns mean).

The same seed gives the same bytes, whatever the number of workers, machines or
shards. A run that was interrupted or killed goes on with --resume.

`simulate list` says which artifacts each preset has. For a single image, and to
give parameters instead of drawing them, use `isocenter distort`.
"""
SIMULATE_EXAMPLES = """Examples:
  isocenter simulate list
  isocenter simulate clean/ bench/ --dry-run
  isocenter simulate clean/ bench/ --workers 4 --seed 7
  isocenter simulate clean/ bench/ --preset physical --artifacts motion,noise --levels 1-4 --n 2000
  isocenter simulate clean/ bench/ --shard 3/20 --resume
  isocenter simulate clean/ bench/ --dask tcp://head-node:8786
"""

RECONSTRUCT = """Reconstruct a scan from k-space.

KSPACE is what a scanner measured: fastMRI or ISMRMRD (.h5), BART (.cfl), Siemens
raw data (.dat, with the extra `twix`), .npy or .mat. Coil maps are found in it. OUT
is written as NIfTI; beside it go, under the same name, _uncertainty.nii.gz (where
the method knows one), .html (pictures) and .json (for programs).

A fully sampled file is undersampled first when --acceleration or --mask KIND is
given, and the result is compared with the file's own full reconstruction. The
true acceleration is always said, whatever a name or a header calls it.
"""
RECONSTRUCT_EXAMPLES = """Examples:
  isocenter reconstruct file.h5 recon.nii.gz
  isocenter reconstruct file.h5 recon.nii.gz --method sense
  isocenter reconstruct file.h5 recon.nii.gz --time-budget 120
  isocenter reconstruct full.cfl recon.nii.gz --mask random --acceleration 6 --acs 24
"""

COMPARE_RECON = """Run every reconstruction method on one file, and compare them.

KSPACE is a fully sampled file, which is undersampled as --mask, --acceleration and
--acs say, or any file with --reference. Prints for each method how near it comes
(PSNR, SSIM and NMSE by fastMRI's definitions), how often it asked a network, and
how long it took.
"""
COMPARE_RECON_EXAMPLES = """Example:
  isocenter compare-recon full.cfl --acceleration 4 --methods zero_filled,sense,hfs_sde
"""

DOCTOR = """Check this installation.

Versions, device, DICOM decoders, weights, memory and caches, one line each.
Leaves with 0 when scans can be assessed here.
"""
DOCTOR_EXAMPLES = """Example:
  isocenter doctor
"""

COMMANDS = {
    "assess": ("isocenter.cli.assess:assess", ASSESS, ASSESS_EXAMPLES),
    "check": ("isocenter.cli.check:check", CHECK, CHECK_EXAMPLES),
    "compare": ("isocenter.cli.compare:compare", COMPARE, COMPARE_EXAMPLES),
    "compare-recon": (
        "isocenter.cli.compare_recon:compare_recon",
        COMPARE_RECON,
        COMPARE_RECON_EXAMPLES,
    ),
    "datasets": ("isocenter.cli.datasets:datasets", DATASETS, DATASETS_EXAMPLES),
    "demo": ("isocenter.cli.demo:demo", DEMO, DEMO_EXAMPLES),
    "distort": ("isocenter.cli.distort:distort", DISTORT, DISTORT_EXAMPLES),
    "enhance": ("isocenter.cli.enhance:enhance", ENHANCE, ENHANCE_EXAMPLES),
    "evaluate": ("isocenter.cli.evaluate:evaluate", EVALUATE, EVALUATE_EXAMPLES),
    "fit-prior": ("isocenter.cli.fit_prior:fit_prior", FIT_PRIOR, FIT_PRIOR_EXAMPLES),
    "list": ("isocenter.cli.listing:listing", LIST, LIST_EXAMPLES),
    "metrics": ("isocenter.cli.metrics:metrics", METRICS, METRICS_EXAMPLES),
    "models": ("isocenter.cli.models:models", MODELS, MODELS_EXAMPLES),
    "reconstruct": (
        "isocenter.cli.reconstruct:reconstruct",
        RECONSTRUCT,
        RECONSTRUCT_EXAMPLES,
    ),
    "simulate": ("isocenter.cli.simulate:simulate", SIMULATE, SIMULATE_EXAMPLES),
    "train": ("isocenter.cli.train:train", TRAIN, TRAIN_EXAMPLES),
    "doctor": ("isocenter.cli.doctor:doctor", DOCTOR, DOCTOR_EXAMPLES),
}
"""For each command: where its function is, what its help says, and its examples."""


def epilogue() -> str:
    """What stands at the end of ``isocenter --help``."""
    codes = "\n".join(f"  {code:<5}{meaning}" for code, meaning in EXIT_CODES.items())
    return (
        "isocenter COMMAND --help shows a command's options and an example.\n"
        "--debug after any command shows the traceback of an error.\n\n"
        f"Exit codes:\n{codes}\n\nResearch use only. Not for diagnosis."
    )
