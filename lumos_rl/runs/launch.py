"""From a command line to a running recipe: presets, flags, stored settings, errors and Ctrl-C.

    launch(__doc__, RunConfig, main)     # the last line of every recipe; main(job, run_folder, settings)

Settings come from a preset, or from the run in `--run-dir`; a file that `--config` names changes them, and flags win.
An error that this package raises on purpose, a full disk and too little memory end the program with one line and exit
status 2; Ctrl-C and SIGTERM end it with status 130 and 143, and the same command continues. Passwords are masked in all
that it prints.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from lumos_rl import task_types
from lumos_rl.console import failed, raise_stopped, received, stopped, until_pipe_closes
from lumos_rl.errors import ConfigError, LumosError, UnknownNameError
from lumos_rl.masking import masked
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.runs.config import Engine, RunConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.runs.engine_choice import with_engine
from lumos_rl.runs.exclusive import refuse_without_effect
from lumos_rl.runs.faults import explained
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.help import short_help
from lumos_rl.runs.job import Job
from lumos_rl.runs.precision import bfloat16_is_native
from lumos_rl.runs.presets import PRESETS, PRETRAINED, Preset
from lumos_rl.runs.stored import changed, names_in, plugins_in, read_settings, revealed

log = logging.getLogger(__name__)

DEFAULT_PRESET = "tiny"
TRAINING = "Supervised fine-tuning"  # a group of --help; recipes that do not train leave it out
HELP = ("-h", "--help")
QUIET = {  # what other libraries print while they work; the environment may say otherwise
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # Transformers' bars follow it
    "VLLM_LOGGING_LEVEL": "WARNING",
    "WANDB_SILENT": "true",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray announces as its next default: workers without GPUs see all
    "TOKENIZERS_PARALLELISM": "false",  # its threads and Ray's forks do not get along
}
Config = TypeVar("Config")


@dataclass(frozen=True, slots=True)
class Origin:
    """The flags that say which settings the others change.

    Attributes:
        plugins: Modules with task types, which settings may name.
        run_dir: Folder of a run, whose settings hold.
        config: File of changes.
        base: The model; None where it is not named.
        train: Sources of training tasks; None where they are not named.
    """

    plugins: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--plugin"])] = ()
    run_dir: str | None = None
    config: str | None = None
    base: Annotated[str | None, tyro.conf.arg(name="model.base")] = None
    train: Annotated[tuple[str, ...] | None, tyro.conf.arg(name="data.train")] = None


def launch(
    about: str | None,
    kind: type[Config],
    main: Callable[[Job, RunFolder, Config], None],
    prepare: Callable[[Sequence[str]], Sequence[str]] = list,
    describe: Callable[[Job, Config], str] | None = None,
    opened: Callable[[Config], RunConfig] | None = None,
) -> None:
    """Reads the command line, opens the run folder, and runs a recipe.

    Args:
        about: The recipe's docstring, shown by --help.
        kind: `RunConfig`, or a dataclass with a field `run` of that type.
        main: The recipe.
        prepare: Turns the words of the command line into a preset and flags.
        describe: What --dry-run prints; None describes the main job.
        opened: Under which settings the run folder is opened, where these may differ from the command's; None for the
            same.
    """
    prepare_process(os.environ)
    run: RunFolder | None = None
    folder = Path()
    try:
        with until_pipe_closes():
            config = parse(about or "", kind, prepare(sys.argv[1:]))
            settings = run_config(config)
            if settings.dry_run:
                job = Job(settings)
                print(masked(describe(job, config) if describe else describe_run(job)))
                return
        folder = settings.folder
        with RunFolder(folder, opened(config) if opened else settings) as run:
            main(Job(settings), run, config)
    except LumosError as error:
        sys.exit(failed(str(error)))
    except KeyboardInterrupt as stop:
        sys.exit(stopped(stop, "" if run is None else "; run the same command again to continue"))
    except Exception as error:
        told = explained(error, folder)
        if told is None:
            raise
        sys.exit(failed(told))


def prepare_process(environment: MutableMapping[str, str]) -> None:
    """Sets up log, signals, and the environment that other libraries read when they are imported."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Masking("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("lumos_rl").setLevel(logging.INFO)
    for name, value in QUIET.items():
        environment.setdefault(name, value)
    received.clear()
    signal.signal(signal.SIGTERM, raise_stopped)
    sys.excepthook = lambda kind, error, trace: sys.stderr.write(
        masked("".join(traceback.format_exception(kind, error, trace)))
    )


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def parse(about: str, kind: type[Config], argv: Sequence[str]) -> Config:
    """Settings from a command line: a preset or a stored run, changed by a file and by flags.

    Raises:
        LumosError: The first word is no preset, or a value cannot be.
        SystemExit: Help was asked for, or a flag is wrong; tyro has printed why.
    """
    word, flags = _split_preset(argv)
    origin = known_flags(Origin, flags)
    task_types.load_plugins(origin.plugins)  # first: settings name what they bring
    if origin.config is not None:
        task_types.load_plugins(plugins_in(Path(origin.config)))
        origin = _with_file(origin)
    preset = word or (DEFAULT_PRESET if origin.base in (None, SCRATCH) else PRETRAINED)
    stored = stored_settings(origin.run_dir) if word is None else None
    begun = default = stored or _begun(PRESETS[preset], origin)
    if origin.config is not None:
        default = changed(default, Path(origin.config))
    program = shlex.join(_program())
    if any(word in HELP for word in flags):
        print(short_help(program, about, kind, default, {name: each.about for name, each in PRESETS.items()}))
        raise SystemExit(0)
    config = _parsed(
        kind,
        prog=program,
        args=["--help" if word == "--help-all" else word for word in flags],
        config=(tyro.conf.EnumChoicesFromValues,),
        default=default if kind is RunConfig else kind(run=default),  # type: ignore[call-arg]
        description=about.strip(),
    )
    run = revealed(run_config(config))
    if run.run_dir is None:
        run = replace(run, run_dir=f"runs/{preset}-{run.seed}")
    if run.model.engine == Engine.AUTO:
        run = with_engine(run, stored_settings(run.run_dir), getattr(config, "checkpoint", None))
    refuse_without_effect(flags, run)
    if origin.config is not None:
        refuse_without_effect((f"--{name}" for name in names_in(Path(origin.config))), run)
    if TRAINING not in getattr(kind, "UNUSED", ()):
        check_base(begun, run)
    return run if kind is RunConfig else replace(config, run=run)  # type: ignore[return-value]


def _with_file(origin: Origin) -> Origin:
    """The flags, and what the file of changes says where they say nothing."""
    file = Path(origin.config or "")
    named, said = names_in(file), changed(RunConfig(), file)
    base = said.model.base if "model.base" in named else None
    train = said.data.train if "data.train" in named else None
    return replace(origin, base=origin.base or base, train=origin.train or train)


def _begun(preset: Preset, origin: Origin) -> RunConfig:
    """The settings of a preset; those of data depend on where its sources are, the precision on the machine."""
    config = preset.config
    in_files = any(not source.endswith("=synthetic") for source in origin.train or ())
    if in_files and preset.from_files:
        config = replace(config, data=preset.from_files)
    if config.sft.dtype == "bfloat16" and not bfloat16_is_native():
        log.info("this machine has no instructions for bfloat16, so the preset's precision is float32")
        sft, model = replace(config.sft, dtype="float32"), replace(config.model, dtype="float32")
        config = replace(config, sft=sft, model=model)
    return config


def check_base(default: RunConfig, run: RunConfig) -> None:
    """Refuses learning rates for a model from scratch with a pretrained one, and the other way round.

    Args:
        default: The preset or stored run that flags changed.
        run: The settings.

    Raises:
        ConfigError: The base is pretrained, and learning rates are still those of a preset that builds its model; or
            the other way round.
    """
    if run.model.base == SCRATCH != default.model.base:
        raise ConfigError(
            f"expected a pretrained model with these settings, which are those of {default.model.base!r}, got"
            f" --model.base {SCRATCH}; begin with another preset, such as {DEFAULT_PRESET}"
        )
    if default.model.base != SCRATCH or run.model.base == SCRATCH:
        return
    rates: dict[str, Callable[[RunConfig], float | None]] = {
        "--sft.learning-rate": lambda config: config.sft.learning_rate,
        "--refine.rs.train.learning-rate": lambda config: config.refine.rs.train.learning_rate,
        "--refine.dpo.train.learning-rate": lambda config: config.refine.dpo.train.learning_rate,
    }
    usual = RunConfig()
    left = {flag: rate(run) for flag, rate in rates.items() if rate(run) == rate(default) != rate(usual)}
    if left:
        sft = run.sft
        how = "all weights" if sft.lora_rank is None else f"adapters of rank {sft.lora_rank}"
        raise ConfigError(
            f"expected settings for the pretrained model {run.model.base!r}, got those of a preset for a model from"
            f" scratch: {', '.join(f'{flag} {rate:g}' for flag, rate in left.items())} (it trains {how} in {sft.dtype},"
            f" conversations of at most {sft.max_length} tokens); begin with another preset, as in"
            f" `{shlex.join([*_program(), PRETRAINED, '--model.base', run.model.base])}`, or give these flags"
        )


def known_flags(kind: type[Config], flags: Sequence[str]) -> Config:
    """What a command line says about the fields of a class, whatever else it says."""
    found, _ = _parsed(kind, args=list(flags), return_unknown_args=True, add_help=False)
    return found  # type: ignore[no-any-return]


def _parsed(kind: type[Any], **options: Any) -> Any:
    """What tyro makes of a command line; an error of ours is raised as it is, not as text in a frame."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, **options)
    except SystemExit as end:
        error: BaseException | None = end
        while error is not None and not isinstance(error, LumosError):
            error = error.__context__
        if error is not None:
            raise error from None
        sys.stderr.write(said.getvalue())
        raise


def run_config(config: object) -> RunConfig:
    """The `RunConfig` of a recipe's settings."""
    found = config if isinstance(config, RunConfig) else getattr(config, "run", None)
    assert isinstance(found, RunConfig), "a recipe's settings are or hold a RunConfig"
    return found


def stored_settings(run_dir: str | None) -> RunConfig | None:
    """The settings of the run in this folder; None where there is none yet.

    Raises:
        DataError: They cannot be read.
    """
    path = None if run_dir is None else Path(run_dir) / "config.json"
    return None if path is None or not path.is_file() else read_settings(path)


def _split_preset(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    if not argv or argv[0].startswith("-"):
        return None, list(argv)
    if argv[0] not in PRESETS:
        raise UnknownNameError("preset", argv[0], PRESETS)
    return argv[0], list(argv[1:])


def _program() -> list[str]:
    """The words that start this program: `python -m lumos_rl.recipes.sft`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return ["python", *(["-m", spec.name] if spec else sys.argv[:1])]
