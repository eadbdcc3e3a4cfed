"""One engine of vLLM: a base model with its adapters, its process, and its end.

engine = Engine("runs/demo/base", layout, VLLMSettings(), max_rank=16, isolated=True, dtype="bfloat16")
engine.add(asked, adapter, [eos])
engine.step()       # one token of every turn under way; the outputs of finished ones
engine.close()      # its processes and their memory are gone
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.policies.base import Request
from lumos_rl.policies.layout import Layout
from lumos_rl.policies.settings import VLLMSettings

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # values that vLLM accepts as max_lora_rank
END_S = 20.0  # for an engine's processes to end by themselves


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that an engine takes."""

    request: Request
    ids: list[int]  # of the whole prompt
    since: float
    key: str | None  # of the layout's part that serves it


class Engine:
    """One vLLM engine: one base model and its current adapters.

    Args:
        base: Model folder or hub name.
        layout: The checkpoint to serve first.
        max_rank: Largest rank of later adapters.
        isolated: Whether it runs in a process of its own.
        **size: Further arguments of vLLM's engine.
    """

    def __init__(
        self, base: str, layout: Layout, settings: VLLMSettings, max_rank: int, isolated: bool, **size: Any
    ) -> None:
        from vllm import EngineArgs, LLMEngine

        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(isolated))
        self.base = base
        self.max_rank = next(rank for rank in RANKS if rank >= max(layout.rank(base), max_rank))
        lora: dict[str, Any] = {}
        if adapters := layout.adapters_of(base):
            # On a CPU, a token without adapter is multiplied with the last place for one, which is kept empty.
            places = len(adapters) + (not torch.cuda.is_available())
            lora = {"enable_lora": True, "max_lora_rank": self.max_rank, "max_loras": places}
        arguments = EngineArgs(
            model=base,
            tokenizer=base,  # for stop texts
            max_model_len=settings.context,
            gpu_memory_utilization=settings.gpu_memory,
            enable_prefix_caching=True,
            logprobs_mode="processed_logprobs",  # after temperature and top_p
            generation_config="vllm",  # turns are sampled from the model's own distribution
            seed=0,  # unused, as each request has its own seed
            disable_log_stats=True,
            **size,
            **lora,
            **({} if torch.cuda.is_available() else _on_cpu()),
        )
        others = set(multiprocessing.active_children())
        try:
            self._engine: Any = LLMEngine.from_engine_args(arguments)
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(f"expected a model that vLLM can serve, got {base}: {error}") from error
        except OSError as error:
            raise MissingFileError(f"expected a model folder or a model of the hub, got {base!r}: {error}") from error
        except RuntimeError as error:  # from the engine's process, which has written the cause to its output
            raise InfrastructureError(
                f"expected vLLM to start an engine of {base}, got {error}; if GPU memory is short, try"
                " --model.vllm.gpu-memory and --model.vllm.context"
            ) from error
        self._started = [each for each in multiprocessing.active_children() if each not in others]
        if self._started:
            core, ends = self._engine.engine_core, [each.sentinel for each in self._started]
            threading.Thread(target=_tell_end, args=(core, ends), name="vllm-watch", daemon=True).start()
        self.context = int(self._engine.model_config.max_model_len)
        self._adapters: list[Any] = []

    def add(self, asked: Asked, adapter: Any, ends: Sequence[int]) -> None:
        """Starts a turn.

        Raises:
            ConfigError: vLLM refuses its sampling settings.
            InfrastructureError: The engine is dead.
        """
        from vllm import SamplingParams
        from vllm.exceptions import VLLMValidationError
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        sampling = asked.request.sampling
        try:
            parameters = SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p
                if sampling.temperature
                else 1.0,  # else greedy log-probabilities depend on the batch
                max_tokens=min(sampling.max_new_tokens, self.context - len(asked.ids)),
                stop=list(sampling.stop),
                stop_token_ids=list(ends),
                ignore_eos=True,  # `ends` says which tokens end a turn
                seed=asked.request.seed if sampling.temperature else None,
                logprobs=0 if sampling.logprobs else None,  # 0: of the sampled token only
                detokenize=bool(sampling.stop),
                skip_special_tokens=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            prompt = TokensPrompt(prompt_token_ids=asked.ids)
            self._engine.add_request(asked.request.id, prompt, parameters, lora_request=adapter)
        except (ValueError, VLLMValidationError) as error:
            raise ConfigError(f"expected sampling settings that vLLM takes, got {sampling}: {error}") from error
        except EngineDeadError as error:
            raise InfrastructureError(f"expected the vLLM engine of {self.base} to run, got {error!r}") from error

    def step(self) -> list[Any]:
        """Generates one token of every turn under way; returns the outputs of finished ones.

        Raises:
            InfrastructureError: The engine is dead.
        """
        if not self._engine.has_unfinished_requests():
            return []
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            return [output for output in self._engine.step() if output.finished]
        except (EngineDeadError, RuntimeError, OSError) as error:
            raise InfrastructureError(f"expected the vLLM engine of {self.base} to run, got {error!r}") from error

    def set_adapters(self, wanted: list[tuple[str, int, str]]) -> list[Any]:
        """Replaces the loaded adapters with `wanted`: name, id and folder of each.

        Raises:
            ConfigError: They do not fit the engine's model.
        """
        from vllm.lora.request import LoRARequest

        for old in self._adapters:
            self._engine.remove_lora(old.lora_int_id)
        self._adapters = [LoRARequest(*one) for one in wanted]
        for new in self._adapters:
            try:
                loaded = self._engine.add_lora(new)
            except (ValueError, RuntimeError, KeyError) as error:
                raise ConfigError(f"expected an adapter of {self.base}, got {new.lora_path}: {error}") from error
            if not loaded or new.lora_int_id not in self._engine.list_loras():
                raise InfrastructureError(f"expected vLLM to load {new.lora_name} from {new.lora_path}, it did not")
        return self._adapters

    def process_id(self) -> int:
        """Id of the process that holds the weights."""
        return next((each.pid for each in self._started if each.pid), os.getpid())

    def close(self) -> None:
        """Ends the engine and waits until its processes, and so their memory, are gone.

        vLLM's engine has no method for this: it ends when nothing refers to it, so an error could keep it in memory.
        """
        with contextlib.suppress(RuntimeError, OSError):  # the engine may be gone already
            self._engine.engine_core.shutdown()
        for each in self._started:
            each.join(END_S)
            if each.is_alive():
                each.kill()
                each.join()


def _tell_end(core: Any, ends: list[int]) -> None:
    """Wakes a step that waits for an engine whose process has ended; vLLM marks it as dead only for later calls."""
    from vllm.v1.engine.exceptions import EngineDeadError

    multiprocessing.connection.wait(ends)
    core.outputs_queue.put(EngineDeadError())


def _on_cpu() -> dict[str, Any]:
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # else a process of its own leaves a core idle
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; vLLM's own default takes half of the memory
    # A prompt read in chunks needs its seed to be restored, which is not possible on a CPU.
    return {"enforce_eager": True, "enable_chunked_prefill": False, "block_size": 32}
