"""Small copies of data sets: real files under the names that they have as downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import nibabel
import numpy as np

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def plant(root: Path, *names: str) -> None:
    """Write a tiny scan, or what else the ending says, under each name."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(number).integers(1, 900, (10, 9, 8)).astype(np.int16)
        if name.endswith((".nii", ".nii.gz")):
            nibabel.save(nibabel.Nifti1Image(image, AFFINE), path)
        elif name.endswith(".img"):
            nibabel.AnalyzeImage(image[..., None], AFFINE).to_filename(path)
        elif name.endswith(".mnc"):
            save_minc(path, image)
        elif name.endswith("_T1w.json"):
            path.write_text(json.dumps({"cjv": 0.4, "bids_meta": {}}))
        else:
            path.write_text("text")


def save_minc(path: Path, image: np.ndarray) -> None:
    """MINC-2, as ``nii2mnc`` lays it out."""
    with h5py.File(path, "w") as file:
        top = file.create_group("minc-2.0")
        for axis, (name, length) in enumerate(zip("zyx", image.shape, strict=True)):
            dimension = top.create_dataset(f"dimensions/{name}space", data=0)
            cosines = np.eye(3)[2 - axis]
            for key, value in (("start", 0.0), ("step", 2.0), ("length", length)):
                dimension.attrs[key] = value
            dimension.attrs["direction_cosines"] = cosines
            dimension.attrs["spacing"] = np.bytes_(b"regular__")
        stored = top.create_dataset("image/0/image", data=image)
        stored.attrs["dimorder"] = np.bytes_(b"zspace,yspace,xspace")
        stored.attrs["valid_range"] = np.array([0.0, 900.0])
        for name, value in (("image-min", 0.0), ("image-max", 900.0)):
            top.create_dataset(f"image/0/{name}", data=value)


TREES: dict[str, tuple[str, ...]] = {
    "oasis": (
        "disc1/OAS1_0001_MR1/RAW/OAS1_0001_MR1_mpr-1_anon.img",
        "disc1/OAS1_0001_MR1/RAW/OAS1_0001_MR1_mpr-2_anon.img",
        "disc1/OAS1_0001_MR1/RAW/OAS1_0001_MR1_mpr-1_anon_sag_66.gif",
        "disc1/OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111.img",
        "disc1/OAS1_0001_MR1/FSL_SEG/OAS1_0001_MR1_mpr_n4_anon_111_t88_masked_gfc_fseg.img",
        "disc12/OAS1_0457_MR1/RAW/OAS1_0457_MR1_mpr-4_anon.img",
        "disc12/OAS1_0457_MR2/RAW/OAS1_0457_MR2_mpr-1_anon.img",
    ),
    "nfbs": (
        "NFBS_Dataset/A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz",
        "NFBS_Dataset/A00028185/sub-A00028185_ses-NFB3_T1w_brain.nii.gz",
        "NFBS_Dataset/A00028185/sub-A00028185_ses-NFB3_T1w_brainmask.nii.gz",
        "NFBS_Dataset/A00028352/sub-A00028352_ses-NFB3_T1w.nii.gz",
    ),
    "ixi": (
        "IXI-T1/IXI002-Guys-0828-T1.nii.gz",
        "IXI-T1/IXI012-HH-1211-T1.nii.gz",
        "IXI-T2/IXI002-Guys-0828-T2.nii.gz",
        "IXI-PD/IXI002-Guys-0828-PD.nii.gz",
        "IXI-MRA/IXI002-Guys-0828-MRA.nii.gz",
        "IXI-DTI/IXI002-Guys-0828-DTI-00.nii.gz",
    ),
    "qtab": (
        "ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_inv-1_MP2RAGE.nii.gz",
        "ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_inv-2_MP2RAGE.nii.gz",
        "ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_T2w_TSE_run-01.nii.gz",
        "ds004146-download/sub-0001/ses-02/anat/sub-0001_ses-02_inv-2_MP2RAGE.nii.gz",
        "ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_UNIT1.nii.gz",
        "ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_T2w.nii.gz",
        "ds004146-download/sub-0001/ses-02/anat/sub-0001_ses-02_FLAIR.nii.gz",
        "ds004146-download/sub-0001/ses-02/swi/sub-0001_ses-02_minIP.nii.gz",
    ),
    "arc": (
        "ds004884-download/sub-M2001/ses-1076/anat/sub-M2001_ses-1076_acq-tfl3_run-4_T1w.nii.gz",
        "ds004884-download/sub-M2001/ses-1253/anat/sub-M2001_ses-1253_acq-spc3_run-3_T2w.nii.gz",
        "ds004884-download/sub-M2005/ses-4334/anat/sub-M2005_ses-4334_acq-spc3p2_run-7_T2w.nii.gz",
        "ds004884-download/sub-M2005/ses-4334/anat/sub-M2005_ses-4334_run-9_FLAIR.nii.gz",
        "ds004884-download/derivatives/lesion_masks/sub-M2001/ses-1253/anat/"
        "sub-M2001_ses-1253_acq-spc3_run-3_T2w.nii.gz",
        "ds004884-download/sub-M2001/ses-1/dwi/sub-M2001_ses-1_dir-AP_run-1_dwi.nii.gz",
    ),
    "abide": (
        "ABIDE/Caltech/sub-0051456/anat/sub-0051456_T1w.nii.gz",
        "ABIDE/Caltech/sub-0051456/func/sub-0051456_task-rest_run-1_bold.nii.gz",
        "ABIDE/NYU/sub-0050952/anat/sub-0050952_T1w.nii.gz",
    ),
    "mr_art": (
        "sub-000103/anat/sub-000103_acq-standard_T1w.nii.gz",
        "sub-000103/anat/sub-000103_acq-headmotion1_T1w.nii.gz",
        "sub-000103/anat/sub-000103_acq-headmotion2_T1w.nii.gz",
        "sub-000148/anat/sub-000148_acq-standard_T1w.nii.gz",
        "derivatives/mriqc/sub-000103/anat/sub-000103_acq-standard_T1w.nii.gz",
    ),
    "hcp": (
        "HCP_1200/100206/T1w/T1w_acpc_dc_restore.nii.gz",
        "HCP_1200/100206/T1w/T2w_acpc_dc_restore.nii.gz",
        "HCP_1200/100206/T1w/T1w_acpc_dc_restore_brain.nii.gz",
        "HCP_1200/100206/MNINonLinear/T1w_restore.nii.gz",
        "HCP_1200/100206/unprocessed/3T/T1w_MPR1/100206_3T_T1w_MPR1.nii.gz",
    ),
    "lemon": (
        "sub-010002/ses-01/anat/sub-010002_ses-01_acq-mp2rage_T1w.nii.gz",
        "sub-010002/ses-01/anat/sub-010002_ses-01_acq-mp2rage_T1map.nii.gz",
        "sub-010002/ses-01/anat/sub-010002_ses-01_inv-2_mp2rage.nii.gz",
        "sub-010002/ses-01/anat/sub-010002_ses-01_T2w.nii.gz",
        "sub-010002/ses-01/anat/sub-010002_ses-01_acq-highres_FLAIR.nii.gz",
        "sub-010002/ses-02/anat/sub-010002_ses-02_acq-mp2rage_T1w.nii.gz",
    ),
    "bids": (
        "sub-01/anat/sub-01_acq-mprage_run-2_T1w.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_PDw.nii",
        "sub-02/ses-a/anat/sub-02_ses-a_FLAIR.nii.gz",
        "sub-02/anat/sub-01_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.json",
        "sub-02/func/sub-02_task-rest_bold.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
        "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
    ),
    "plain": (
        "ann/T1.nii.gz",
        "ann/later/t2_flair.nii",
        "bids/sub-07/ses-2/anat/sub-07_ses-2_T2w.nii.gz",
        "bert_mprage.mnc",
        "pair.img",
        "notes.txt",
    ),
    "collection": (
        "brains/sub-01_T1w.nii.gz",
        "ms/patient-01_visit-1_T1W.nii.gz",
        "ms/patient-01_gt.nii.gz",
        "ms/mni_patient-07_FLAIR.nii.gz",
        "labels/training_seg_01.nii.gz",
    ),
}
"""What is downloaded, scans and what is none, by data set."""

SCANS: dict[str, list[tuple[str, str | None, str | None]]] = {
    "oasis": [
        ("OAS1_0001", "T1w", "MR1"),
        ("OAS1_0001", "T1w", "MR1"),
        ("OAS1_0457", "T1w", "MR1"),
        ("OAS1_0457", "T1w", "MR2"),
    ],
    "nfbs": [("A00028185", "T1w", "NFB3"), ("A00028352", "T1w", "NFB3")],
    "ixi": [
        ("IXI002", "PDw", None),
        ("IXI002", "T1w", None),
        ("IXI002", "T2w", None),
        ("IXI012", "T1w", None),
    ],
    "qtab": [
        ("sub-0001", "T2w", "ses-01"),
        ("sub-0001", "T1w", "ses-01"),
        ("sub-0001", "T1w", "ses-01"),
        ("sub-0001", "T1w", "ses-02"),
    ],
    "arc": [
        ("sub-M2001", "T1w", "ses-1076"),
        ("sub-M2001", "T2w", "ses-1253"),
        ("sub-M2005", "T2w", "ses-4334"),
    ],
    "abide": [("0050952", "T1w", None), ("0051456", "T1w", None)],
    "mr_art": [
        ("sub-000103", "T1w", "headmotion1"),
        ("sub-000103", "T1w", "headmotion2"),
        ("sub-000103", "T1w", "standard"),
        ("sub-000148", "T1w", "standard"),
    ],
    "hcp": [("100206", "T1w", None), ("100206", "T2w", None)],
    "lemon": [
        ("sub-010002", "T2w", "ses-01"),
        ("sub-010002", "FLAIR", "ses-01"),
        ("sub-010002", "T1w", "ses-01"),
    ],
    "bids": [
        ("sub-01", "T1w", None),
        ("sub-01", "PDw", "ses-a"),
        ("sub-02", "FLAIR", "ses-a"),
    ],
    "plain": [
        ("ann", "T1w", None),
        ("ann", "FLAIR", None),
        ("bert_mprage", "T1w", None),
        ("pair", None, None),
        ("sub-07", "T2w", "ses-2"),
    ],
    "collection": [
        ("brains/sub-01", "T1w", None),
        ("ms/mni-patient-07", "FLAIR", None),
        ("ms/patient-01", "T1w", "visit-1"),
    ],
}
"""Person, contrast and session of every scan in :data:`TREES`, in the order of the index."""
