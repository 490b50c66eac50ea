"""adapters/gguf: a file that was cut off is refused before a runtime trusts it."""

import struct
from pathlib import Path

import pytest

from modelport.adapters import OpenVINOModel
from modelport.adapters.files.gguf import NotWhole, check, converted
from modelport.adapters.files.weights import default_gguf
from modelport.domain.error import ModelFailure


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


# Two tensors of type F32: eight numbers at 0, and two at 64; data begins at a multiple of 64.
HEADER = b"GGUF" + struct.pack("<IQQ", 3, 2, 4)
HEADER += text(b"general.alignment") + struct.pack("<II", 4, 64)
HEADER += text(b"name") + struct.pack("<I", 8) + text(b"tiny")
HEADER += text(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
HEADER += text(b"scores") + struct.pack("<IIQff", 9, 6, 2, 0.5, 1.5)
HEADER += text(b"one") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
HEADER += text(b"two") + struct.pack("<IQIQ", 1, 2, 0, 64)
WHOLE = HEADER.ljust(-(-len(HEADER) // 64) * 64, b"\0") + bytes(64 + 8)


def test_a_whole_file_passes(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(WHOLE)
    check(tmp_path / "a.gguf")


def test_the_default_s_weights_are_whole() -> None:
    check(default_gguf())


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.gguf").write_bytes(WHOLE[:length])
    with pytest.raises(NotWhole, match=r"a\.gguf"):
        check(tmp_path / "a.gguf")


@pytest.mark.needs("openvino")
@pytest.mark.parametrize("share", [0.0001, 0.03, 0.9999])
def test_openvino_refuses_a_cut_off_file_instead_of_crashing(tmp_path: Path, share: float) -> None:
    data = default_gguf().read_bytes()
    (tmp_path / "cut.gguf").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelFailure, match="not_found.*cut off") as caught:
        OpenVINOModel(str(tmp_path / "cut.gguf"))("Hi")
    assert str(tmp_path) in caught.value.error.message


def test_a_file_is_converted_once_by_each_release_of_each_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPORT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "a.gguf"
    file.write_bytes(WHOLE)
    made: list[str] = []

    def folder(*made_by: str) -> Path:
        def convert(path: Path) -> None:
            made.append(path.name)
            path.mkdir()

        return converted(file, "some", made_by, convert)

    assert folder("1.0") == folder("1.0") != folder("1.1")
    assert len(made) == 2
