from lumos_rl.runs import precision
from lumos_rl.runs.precision import bfloat16_is_native


def test_a_cpu_says_whether_it_computes_in_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "DEVICES", tmp_path)
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    assert not bfloat16_is_native()  # not Linux
    for flags, native in (
        ("flags\t\t: fpu avx2 avx512f", False),
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16", True),
    ):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n")
        assert bfloat16_is_native() is native


def test_a_gpu_is_asked_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "DEVICES", tmp_path)
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "none")
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for supported in (True, False):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation, told=supported: told)
        assert bfloat16_is_native() is supported
