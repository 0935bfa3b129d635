"""org/name[@REVISION] -> its folder in the local hub cache; and the two functions that use the network, `fetch` and `upload`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from distill.context import Resolved
from distill.errors import DistillError, NotFetchedError, SourceError
from distill.sources.licences import card_terms

ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[A-Za-z0-9][\w./-]*))?")
LEFT_OUT = ("*.pth", "*.h5", "*.msgpack", "*.ot", "*.onnx", "*.onnx_data", "*.tflite", "original/*", "openvino/*")
"""The same weights for other programs."""
HINT = "distill fetch RECIPE, where there is a network"


def cached(ref: str, what: Literal["model", "data"]) -> Resolved:
    """A hub id in the local hub cache; the revision is the commit, the name stands without its branch or tag.

    Raises:
        NotFetchedError: it is not there, or only a part of it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repo, revision = _parts(ref)
    try:  # it knows of files that a broken download left out; pickled weights are wanted only where there are no others
        path = Path(
            snapshot_download(
                repo,
                repo_type="dataset" if what == "data" else "model",
                revision=revision,
                local_files_only=True,
                ignore_patterns=[*LEFT_OUT, "*.bin"] if what == "model" else None,
            )
        )
    except LocalEntryNotFoundError as error:
        raise NotFetchedError(f"the {what} {ref} is not on this machine", hint=HINT) from error
    except HFValidationError as error:
        raise SourceError(str(error), where=ref) from error
    missing = _missing(path, what)
    if missing:
        raise NotFetchedError(f"only a part of the {what} {ref} is on this machine: {missing}", hint=HINT)
    return Resolved(repo, path, path.name, card_terms(path))


def snapshot(repo: str, commit: str) -> Path | None:
    """Folder of a model or data set in the local cache at a commit; None where it is not there."""
    from huggingface_hub import constants

    for kind in ("models", "datasets"):
        folder = Path(constants.HF_HUB_CACHE) / "--".join([kind, *repo.split("/")]) / "snapshots" / commit
        if commit and folder.is_dir():
            return folder
    return None


def fetch(ref: str, what: Literal["model", "data"]) -> str:
    """Download what is missing of a hub id and return its commit. Without a network, what is cached will do.

    Raises:
        NotFetchedError: no network, and not cached either.
        SourceError: the hub has no such thing, does not show it to you, or stopped in the middle.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, revision = _parts(ref)
    try:
        _download(repo, revision, what)
    except GatedRepoError as error:
        hint = f"accept its terms at https://huggingface.co/{repo} and set HF_TOKEN"
        raise SourceError(f"the hub shows the {what} {repo} only to those who accepted its terms", hint=hint) from error
    except RepositoryNotFoundError as error:
        hint = "correct the name; a private one needs HF_TOKEN"
        raise SourceError(f"the hub has no {what} {repo}", hint=hint) from error
    except RevisionNotFoundError as error:
        raise SourceError(f"the hub's {what} {repo} has no revision {revision}") from error
    except LocalEntryNotFoundError as error:
        raise NotFetchedError(
            f"the {what} {ref} is not on this machine and the hub cannot be asked", hint=HINT
        ) from error
    except HFValidationError as error:
        raise SourceError(str(error), where=ref) from error
    except Exception as error:  # whatever the network, the disk or the hub's transfer library came up with
        hint = "run `distill fetch RECIPE` again: what has arrived is kept"
        raise SourceError(f"fetching stopped: {type(error).__name__}: {error}", where=ref, hint=hint) from error
    return cached(ref, what).revision


def upload(
    folder: Path, repo: str, what: Literal["model", "dataset"], private: bool, message: str, replaced: Sequence[str]
) -> str:
    """Put a folder's files into a repository, which is made where there is none, and return its address.

    Args:
        private: what is made is seen by its owners alone, else by all; one that is there and is not so is refused.
        replaced: patterns of files there that an earlier upload may have left, and that go unless they are written anew.

    Raises:
        SourceError: no network, no right to write there, or it stopped in the middle.
        DistillError: everybody would see it, or only its owners would.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi()
    try:
        address = str(api.create_repo(repo, repo_type=what, private=private, exist_ok=True))
        hidden = bool(api.repo_info(repo, repo_type=what).private)
        if private and not hidden:
            raise DistillError("everybody sees this repository", where=repo, hint="--public, if that is meant")
        if hidden and not private:
            hint = "open it on the hub, with all that was ever pushed to it; or name a new one, or leave out --public"
            raise DistillError("only its owners see this repository", where=repo, hint=hint)
        api.upload_folder(
            folder_path=str(folder),
            repo_id=repo,
            repo_type=what,
            commit_message=message,
            delete_patterns=list(replaced),
        )
    except DistillError:
        raise
    except OfflineModeIsEnabled as error:
        raise SourceError(
            "the network is off here", where=repo, hint="unset HF_HUB_OFFLINE where there is one"
        ) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            hint = "set HF_TOKEN to a token that may write there, or log in by `hf auth login`"
            raise SourceError(
                f"the hub does not let you write there (status {status})", where=repo, hint=hint
            ) from error
        raise _stopped(error, repo) from error
    except Exception as error:  # whatever the network, the disk or the hub's transfer library came up with
        raise _stopped(error, repo) from error
    return address


def _stopped(error: Exception, repo: str) -> SourceError:
    hint = "the same command again goes on: what has arrived is not sent twice"
    return SourceError(f"pushing stopped: {type(error).__name__}: {error}", where=repo, hint=hint)


def _download(repo: str, revision: str | None, what: Literal["model", "data"]) -> None:
    """Everything of a data set; of a model one kind of weights, pickled ones only where there are no others."""
    from huggingface_hub import snapshot_download

    if what == "data":
        snapshot_download(repo, repo_type="dataset", revision=revision)
        return
    path = Path(snapshot_download(repo, revision=revision, ignore_patterns=[*LEFT_OUT, "*.bin"]))
    if not any(path.glob("*.safetensors")) and not any(path.glob("*.gguf")):
        snapshot_download(repo, revision=revision, ignore_patterns=list(LEFT_OUT))


def _parts(ref: str) -> tuple[str, str | None]:
    match = ID.fullmatch(ref)
    assert match is not None, ref
    return match["repo"], match["revision"]


def _missing(path: Path, what: Literal["model", "data"]) -> str:
    """What a snapshot lacks to be used, empty where it is whole."""
    names = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    if what == "data":
        return "" if names - {"README.md", ".gitattributes"} else "it has no data file"
    weights = [name for name in names if name.endswith((".safetensors", ".bin", ".gguf"))]
    if not weights:
        return "it has no weights"
    for index in (name for name in names if name.endswith(".index.json") and "/" not in name):
        if index.endswith(".bin.index.json") and any(name.endswith(".safetensors") for name in weights):
            continue
        try:
            shards = set(json.loads((path / index).read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"{index} is damaged"
        if shards - names:
            return f"{len(shards - names)} of {len(shards)} weight files are missing"
    return ""
