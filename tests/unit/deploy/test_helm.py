"""What the Helm chart takes from the code."""

from deploy.helm.render import FOLDER, rendered


def test_committed_files_are_not_stale() -> None:
    committed = {name: (FOLDER / name).read_text(encoding="utf-8") for name in rendered()}
    assert committed == rendered(), "python -m deploy.helm.render"
